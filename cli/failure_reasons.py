"""Why messages failed, from the log of the function that received them; pure.

Each invocation first logs the ids of its messages. An error that it logs later names one message.
An error that names none, such as a timeout, is the reason of every message of the invocation.
"""

from collections import defaultdict
from collections.abc import Iterable

from cli.dead_letters import DeadLetter
from cli.log_lines import LogLine

IDS, ID = "message_ids", "id"
"""The facts of a line that name the messages of an invocation, and the one that failed."""


class FailureReasons:
    """The reasons why messages failed, from the log of one function.

    Args:
        lines: The lines of the log, the oldest first.
    """

    def __init__(self, lines: Iterable[LogLine]) -> None:
        self._invocations: dict[str, list[LogLine]] = defaultdict(list)
        self._attempts: dict[str, dict[str, None]] = defaultdict(dict)
        for line in lines:
            if request := line.request_id:
                self._invocations[request].append(line)
                for message_id in (*line.facts.get(IDS, ()), line.facts.get(ID)):
                    self._attempts[str(message_id)][request] = None

    def explain(self, letter: DeadLetter) -> DeadLetter:
        """Return a dead letter with the reason and the log lines of its last failed attempt."""
        for request in reversed(self._attempts.get(letter.id, {})):
            lines = [
                line
                for line in self._invocations[request]
                if IDS not in line.facts and line.facts.get(ID, letter.id) == letter.id
            ]
            failures = [line for line in lines if line.is_failure or line.exception]
            own = [line for line in failures if line.facts.get(ID) == letter.id]
            if failures:
                reason = letter.reason or _reason((own or failures)[-1])
                return letter.model_copy(update={"reason": reason, "log": tuple(lines)})
        return letter


def _reason(line: LogLine) -> str:
    """Return the message of a log line, with the details of its error."""
    last_line = (line.exception or "").strip().rpartition("\n")[2]
    details = line.facts.get("error") or "; ".join(line.facts.get("faults", ())) or last_line
    if line.message in details:
        return str(details)
    return f"{line.message}: {details}" if details else line.message
