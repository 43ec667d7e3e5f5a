//! The comment on top of the objects: what they do, and the commands that use them.

use hf2ms_hub::Hub;
use hf2ms_worker::plan::Plan;

use super::Objects;
use super::jobs::source_argument;

impl Objects<'_> {
    pub(super) fn header(&self, waits: bool) -> String {
        let (plan, name, last, secret) =
            (self.plan, self.name, self.last_name(), &self.cluster.secret);
        let what = format!(
            "# Copies {} to {}: {} chunks.\n",
            source_argument(&plan.source),
            source_argument(&plan.destination),
            plan.chunks.len()
        );
        let needs = "# The variables of the first command have to be set in that shell: hf2ms login sets none.\n# For Kubernetes 1.29 or later. `kubectl delete -f` of this file takes everything back, but the Secret.\n";
        let refused = match plan.refused.len() {
            0 => String::new(),
            some => format!(
                "# {some} entries of the source can't be copied: the last Job copies the rest, and ends as failed.\n"
            ),
        };
        let names = self.secret_names();
        let (lines, values): (String, String) = names
            .iter()
            .map(|name| (format!("{name}=%s\\n"), format!(" \"${name}\"")))
            .unzip();
        let token = format!("printf '{lines}'{values}");
        let mut commands = vec![
            format!("{token} |\n#      kubectl create secret generic {secret} --from-env-file=/dev/stdin"),
            "kubectl apply --server-side -f FILE      # server-side: kubectl's own copy would be too long".to_owned(),
        ];
        if waits {
            commands.push(format!(
                "kubectl wait --for=condition=Complete --timeout=24h job/{name}"
            ));
            commands.push(format!(
                "kubectl patch job {last} --type=merge --patch '{{\"spec\":{{\"suspend\":false}}}}'"
            ));
        }
        let commands: String = commands
            .iter()
            .zip(1..)
            .map(|(command, number)| format!("#   {number}. {command}\n"))
            .collect();
        format!(
            "{what}{needs}{refused}{commands}# Then `kubectl logs --follow job/{last}` shows the commit, and the verification of every file.\n---\n"
        )
    }

    /// The variables that the Secret has to hold: within a hub, another site has a token of its own. A proxy's may hold a login.
    fn secret_names(&self) -> Vec<&'static str> {
        let Plan {
            source,
            destination,
            ..
        } = self.plan;
        let elsewhere = source.hub == destination.hub && source.endpoint != destination.endpoint;
        let apart = destination.hub.profile().variables.destination_token;
        let tokens = Hub::with_api()
            .map(|hub| hub.profile().variables.token_name())
            .chain(elsewhere.then_some(apart));
        tokens.chain(self.cluster.network.proxies()).collect()
    }
}
