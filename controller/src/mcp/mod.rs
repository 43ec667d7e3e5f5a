//! The server of `hf2ms mcp`: tools of the Model Context Protocol on standard input and output. Each tool runs a verb of this program
//! as a process of its own and answers with its JSON lines. So no tool can do more than the command line.

mod answer;
mod arguments;
mod program;
mod tools;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};

use crate::ui::errors::{CliError, CliResult};
use answer::{Answer, StepProgress};
use arguments::{RunPart, ToolCall};
pub use program::Program;
use program::Started;
use tools::{ENTRIES, Entry};

/// A run that was started is answered about once its plan is made, or after so long.
const PLANNED_WITHIN: Duration = Duration::from_secs(20);
/// A plan is told a moment before its run has a record: so long nobody says that there is no run.
const RECORDED_WITHIN: Duration = Duration::from_secs(10);
/// The word for the last run.
const LAST: &str = "last";
/// Until a record is looked for again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

const INSTRUCTIONS: &str = "\
Copies model and dataset repos between Hugging Face and ModelScope. Look first: `doctor` tells whether both tokens work, `plan` what a \
copy would move and cost. Show the plan to the user and ask before `start` when it moves more than 100 GB or costs money. `start` returns \
a run's id at once; `status` tells how far it is, `report` how it ended. A run that was stopped or has failed is gone on with by the \
same `start`. Tokens come from the environment of this server: never ask for one, and never print one.";

/// The tools, each of which runs this program.
#[derive(Debug, Clone)]
struct Tools(Arc<Program>);

/// Serves until the client closes standard input. Runs that were started go on.
///
/// # Errors
/// The client does not speak the protocol.
pub async fn serve(program: Program) -> CliResult<()> {
    let failed = |error: &dyn std::fmt::Display| {
        CliError::usage(format!(
            "the client on standard input does not speak the Model Context Protocol: {error}; start hf2ms mcp from such a client"
        ))
    };
    let server = Tools(Arc::new(program))
        .serve(rmcp::transport::stdio_pipes())
        .await
        .map_err(|error| failed(&error))?;
    server.waiting().await.map_err(|error| failed(&error))?;
    Ok(())
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("hf2ms", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = ENTRIES.iter().map(Entry::tool).collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(entry) = ENTRIES.iter().find(|entry| entry.name == request.name) else {
            let line = format!("there is no tool {}", request.name);
            return Err(ErrorData::invalid_params(line, None));
        };
        let result = match entry.call(request.arguments.unwrap_or_default()) {
            Ok(call) => self.run(call, &context).await,
            Err(why) => Err(why),
        };
        Ok(result.unwrap_or_else(refused).into())
    }
}

/// A result that the assistant reads as a failure.
fn refused(why: impl Into<Cow<'static, str>>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(why.into())])
}

impl Tools {
    /// Does what was asked, and ends the process when the client takes the question back.
    async fn run(
        &self,
        call: ToolCall,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, String> {
        let listener = |progress: StepProgress| report(progress, context);
        let program = &self.0;
        let work = async {
            match call {
                ToolCall::Read { words } => {
                    let answer = program.run(&words, None, Answer::default(), &listener);
                    let answer = answer.await?;
                    // A verification is a run, too.
                    answer
                        .run()
                        .into_iter()
                        .for_each(|run| program.announced(run));
                    Ok(answer)
                }
                ToolCall::First { words, most } => {
                    program
                        .run(&words, None, Answer::of_first(most), &listener)
                        .await
                }
                ToolCall::OfRun { words, run, part } => {
                    self.of_run(&words, &run, part, &listener).await
                }
                ToolCall::Start { words } => program.start(&words, PLANNED_WITHIN).await,
            }
        };
        let answer = tokio::select! {
            answer = work => answer?,
            () = context.ct.cancelled() => return Err("the client has taken the question back".to_owned()),
        };
        Ok(answer.into_result())
    }
}

impl Tools {
    /// Asks about a run, or ends it. One that has no record yet is known by the process that was started here.
    async fn of_run(
        &self,
        words: &[String],
        run: &str,
        part: RunPart,
        listener: &(dyn Fn(StepProgress) + Send + Sync),
    ) -> Result<Answer, String> {
        let at_most = match part {
            RunPart::StatusFor(time) => Some(time),
            RunPart::Status | RunPart::Report | RunPart::Stop => None,
        };
        // Another run may be the last of this machine until the one that was started here has a record.
        let last = self.0.last().filter(|_| run == LAST);
        let run = last.as_deref().unwrap_or(run);
        let words = [words, &[run.to_owned()]].concat();
        let asked = || self.0.run(&words, at_most, Answer::default(), listener);
        let (mut answer, started) = (asked().await?, self.0.started(run));
        if let Some(started) = started.filter(|_| answer.is_misuse()) {
            match part {
                RunPart::Stop => started.stop(),
                _ => answer = recorded(answer, &started, asked).await?,
            }
            if answer.is_misuse() {
                if part == RunPart::Report && started.is_at_work() {
                    return Err("there is no report: the plan is not made yet".to_owned());
                }
                answer = started.answer();
                answer.say("the run has no record: its plan was not made");
                return Ok(answer);
            }
        }
        match part {
            RunPart::Status | RunPart::Stop => Ok(answer),
            RunPart::StatusFor(_) => Ok(answer.last_only()),
            RunPart::Report => answer.report(),
        }
    }
}

/// The answer, asked for again until the run has a record, its process has ended, or nobody waits any more.
async fn recorded<F>(
    mut answer: Answer,
    started: &Started,
    asked: impl Fn() -> F,
) -> Result<Answer, String>
where
    F: Future<Output = Result<Answer, String>>,
{
    let began = Instant::now();
    while answer.is_misuse() && started.is_at_work() && began.elapsed() < RECORDED_WITHIN {
        tokio::time::sleep(AGAIN_AFTER).await;
        answer = asked().await?;
    }
    Ok(answer)
}

/// Tells the client how far a process is, if the client has asked for that.
fn report(progress: StepProgress, context: &RequestContext<RoleServer>) {
    let Some(token) = context.meta.get_progress_token() else {
        return;
    };
    let told = ProgressNotificationParam::new(token, progress.done)
        .with_total(progress.total)
        .with_message(progress.step);
    let peer = context.peer.clone();
    // A client that has gone needs no progress.
    tokio::spawn(async move { peer.notify_progress(told).await.ok() });
}
