"""What is to be changed: which runs or which queue, what has to be answered and confirmed before. Pure."""

from attrs import evolve

from aether import Event, TimelineRow
from aether_tui.actions import ACTIONS, Of
from aether_tui.keys import Key
from aether_tui.known import Known, RunKey
from aether_tui.lines import shown
from aether_tui.listing import listing, queue_chosen, run_chosen, run_key
from aether_tui.typed import edited
from aether_tui.ui import Intent, Mode, Perform, Refresh, Ui, View, Wish

Outcome = tuple[Ui, tuple[Wish, ...]]


def intend(ui: Ui, known: Known, kind: str) -> Ui:
    """What is marked, in the order of the list, else what is selected; without what is over."""
    if ACTIONS[kind].is_of_queue:
        return _intend_queue(ui, known, kind)
    chosen = run_chosen(ui, known)
    runs = _marked(ui, known) if ui.view is View.WORKFLOWS and ui.marked else (chosen,) if chosen else ()
    if not runs:
        return evolve(ui, notice="no run is selected")
    if kind == "pause" and all(_is_paused(known, run) for run in runs):
        kind = "resume"
    action = ACTIONS[kind]
    fitting = tuple(run for run in runs if fits(known, run, action.of))
    if not fitting:
        said = "over already" if action.of is Of.OPEN else "not over yet"
        return evolve(ui, notice=f"{runs[0][0]} is {said}" if len(runs) == 1 else f"all of them are {said}")
    return _asking(evolve(ui, intent=Intent(kind, fitting)), known)


def _intend_queue(ui: Ui, known: Known, kind: str) -> Ui:
    queue = queue_chosen(ui, known)
    if not queue:
        return evolve(ui, notice="no task queue is selected")
    gates = known.look.gates if known.look else ()
    if kind == "pause-queue" and any(gate.paused for gate in gates if gate.task_queue == queue):
        kind = "resume-queue"
    return _asking(evolve(ui, intent=Intent(kind, queue=queue)), known)


def _is_paused(known: Known, run: RunKey) -> bool:
    """As far as is known here."""
    status = known.run.status if known.run is not None else None
    if status is not None and run_key(status.info) == run:
        return status.paused
    infos = known.look.runs if known.look else ()
    return any(info.doing is not None and info.doing.what == "paused" for info in infos if run_key(info) == run)


def _asking(ui: Ui, known: Known) -> Ui:
    """The next question of what is intended, or its confirmation."""
    intent = ui.intent
    assert intent is not None
    questions = ACTIONS[intent.kind].questions
    if len(intent.answers) == len(questions):
        return evolve(ui, mode=Mode.CONFIRM, typed="")
    question = questions[len(intent.answers)]
    offered = _selected_event(ui, known) if question.is_event else ""
    if question.is_signal and len(intent.runs) == 1:
        offered = _awaited_signal(known, intent.runs[0])
    return evolve(ui, mode=Mode.ASK, typed=offered)


def _awaited_signal(known: Known, run: RunKey) -> str:
    """The name of the signal that the run waits for, as far as that is known."""
    status = known.run.status if known.run is not None else None
    if status is not None and run_key(status.info) == run:
        return next((each.name for each in status.pending if each.kind == "signal"), "")
    infos = known.look.runs if known.look else ()
    found = (info.doing for info in infos if run_key(info) == run and info.doing is not None)
    return next((doing.name for doing in found if doing.kind == "signal"), "")


def _selected_event(ui: Ui, known: Known) -> str:
    """Number of the event that is selected, or of the last one before the selected row began."""
    rows = listing(ui, known)
    index = rows.chosen(ui)
    thing = None if index is None else rows.things[index]
    if isinstance(thing, Event):
        return str(thing.seq)
    return str(max(thing.first_seq - 1, 1)) if isinstance(thing, TimelineRow) else ""


def _marked(ui: Ui, known: Known) -> tuple[RunKey, ...]:
    listed = [key for info in listing(ui, known).things if (key := run_key(info)) in ui.marked]
    # What is marked and not in the list any more is meant too.
    return (*listed, *sorted(ui.marked - set(listed)))


def fits(known: Known, run: RunKey, of: Of) -> bool:
    """Is the run one that can be meant, as far as is known here? The server decides."""
    closed = is_closed(known, run)
    return closed is None or of is Of.ANY or closed is (of is Of.CLOSED)


def is_closed(known: Known, run: RunKey) -> bool | None:
    status = known.run.status if known.run is not None else None
    if status is not None and run_key(status.info) == run:
        return status.state.is_closed
    infos = known.look.runs if known.look else ()
    return next((info.state.is_closed for info in infos if run_key(info) == run), None)


def asked(ui: Ui, known: Known, key: Key) -> Outcome:
    intent = ui.intent
    assert intent is not None
    if key == "esc":
        return gave_up(ui), ()
    if key != "enter":
        return edited(ui, key), ()
    questions = ACTIONS[intent.kind].questions
    fault = questions[len(intent.answers)].check(ui.typed)
    if fault:
        return evolve(ui, notice=fault), ()
    return _asking(evolve(ui, intent=evolve(intent, answers=(*intent.answers, ui.typed))), known), ()


def confirmed(ui: Ui, known: Known, key: Key) -> Outcome:
    """Only `y` goes on, or, where there is much to lose, what has to be typed; every other key is No."""
    intent = ui.intent
    assert intent is not None
    wanted = proof(intent)
    if wanted:
        if key == "esc":
            return gave_up(ui), ()
        if key != "enter":
            return edited(ui, key), ()
        is_meant = ui.typed == wanted
    else:
        is_meant = key == "y"
    if not is_meant:
        return gave_up(ui), ()
    return evolve(ui, mode=Mode.LOOK, intent=None, typed="", marked=frozenset()), (Perform(intent), Refresh())


def proof(intent: Intent) -> str:
    """What has to be typed: something that only whoever looks can know; "" where a `y` will do."""
    if len(intent.runs) > 1:
        return str(len(intent.runs))
    return shown(intent.runs[0][0])[-4:] if ACTIONS[intent.kind].is_grave and intent.runs else ""


def gave_up(ui: Ui) -> Ui:
    said = "nothing was done" if ui.intent else ""
    return evolve(ui, mode=Mode.LOOK, intent=None, typed="", notice=said)
