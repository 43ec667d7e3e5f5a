"""Logs of the plane: what containers print, line by line, kept and streamed to whoever asks."""

import asyncio
import time

from modal_proto import api_pb2

STDOUT, STDERR = api_pb2.FILE_DESCRIPTOR_STDOUT, api_pb2.FILE_DESCRIPTOR_STDERR


class Line:
    """One printed line, and by whom."""

    def __init__(self, task, call_id, source, text):
        self.app_id, self.function_id, self.task_id = task.function.app.id, task.function.id, task.id
        self.call_id, self.source, self.text, self.at = call_id, source, text, time.time_ns()

    def matches(self, request):
        """Whether this request, of whichever kind, means this line."""
        wanted = [(request.app_id, self.app_id), (request.function_id, self.function_id)]
        wanted += [(request.task_id, self.task_id), (request.function_call_id, self.call_id)]
        return all(not asked or asked == mine for asked, mine in wanted) and request.search_text in self.text

    def batch(self, entry):
        item = api_pb2.TaskLogs(
            data=self.text,
            timestamp=self.at / 1e9,
            timestamp_ns=self.at,
            file_descriptor=self.source,
            function_call_id=self.call_id,
            container_id=self.task_id,
        )
        return api_pb2.TaskLogsBatch(items=[item], entry_id=f"{entry}-0", task_id=self.task_id, function_id=self.function_id)


class Logs:
    """All lines in their order, and the RPCs that read them."""

    def __init__(self):
        self.lines = []
        self.more = asyncio.Event()

    def keep(self, task, call_id, source, text):
        """Takes a line."""
        self.lines.append(Line(task, call_id, source, text))
        self.more.set()
        self.more = asyncio.Event()

    async def AppGetLogs(self, request, caller):
        """What comes from now on, or after the entry that was seen last."""
        until = time.monotonic() + request.timeout
        at = int(request.last_entry_id.split("-")[0]) if request.last_entry_id else len(self.lines)
        while time.monotonic() < until:
            if at == len(self.lines):
                try:
                    await asyncio.wait_for(self.more.wait(), max(0, until - time.monotonic()))
                except asyncio.TimeoutError:
                    return
            line, at = self.lines[at], at + 1
            if line.matches(request):
                yield line.batch(at)

    def _within(self, request):
        since, until = request.since.ToNanoseconds(), request.until.ToNanoseconds()
        return [line for line in self.lines if since <= line.at < until and line.matches(request)]

    async def AppFetchLogs(self, request, caller):
        batches = [line.batch(entry) for entry, line in enumerate(self._within(request))]
        return api_pb2.AppFetchLogsResponse(batches=batches[-request.limit :])

    async def AppCountLogs(self, request, caller):
        size = request.bucket_secs * 10**9
        counts = {}
        for line in self._within(request):
            sources = counts.setdefault(line.at // size, {STDOUT: 0, STDERR: 0})
            sources[line.source] += 1
        answer = api_pb2.AppCountLogsResponse()
        for bucket, sources in sorted(counts.items()):
            added = answer.buckets.add(stdout_logs=sources[STDOUT], stderr_logs=sources[STDERR])
            added.bucket_start_at.FromNanoseconds(bucket * size)
        return answer
