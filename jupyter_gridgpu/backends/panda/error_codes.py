"""Codes by which PanDA says why a job failed, as our reasons and in words.

The codes of pilots are those of `pilot/common/errorcodes.py` in PanDA's pilot3. Of its codes, those
are listed that a job of ours may meet. A code without a reason leaves the reason to the exit code
of the job, or to what else is known.
"""

from __future__ import annotations

# The parts of PanDA that give a job an error code. The first that says something is shown.
ERROR_SOURCES = ("pilot", "ddm", "jobDispatcher", "taskBuffer", "brokerage", "sup", "exe")
KILLED_CODE = 100  # of taskBuffer; its text says by whom: a user, or PanDA itself

_OF_PILOT: dict[int, tuple[str | None, str]] = {
    1008: (None, "the pilot failed"),
    1098: ("node", "the node had too little disk space"),
    1099: ("node", "an input file could not be copied to the node"),
    1100: ("node", "no copy of an input file was found"),
    1103: (None, "a file was missing"),
    1104: ("node", "the job's folder grew too large"),
    1106: ("node", "the job printed too much"),
    1110: (None, "the node could not prepare the job"),
    1124: ("node", "an output file was too large"),
    1133: ("node", "the site has no storage for outputs"),
    1137: ("node", "the output files could not be stored"),
    1144: ("user", "PanDA told the pilot to kill the job"),
    1149: ("node", "PanDA's script for the job could not be fetched"),
    1150: ("timeout", "the job wrote nothing for hours, so the pilot killed it"),
    1151: ("node", "copying input files took too long"),
    1152: ("node", "storing output files took too long"),
    1163: ("node", "the node had no valid grid proxy"),
    1165: ("node", "an output file was missing"),
    1168: ("node", "the input files were too large together"),
    1177: ("node", "the node had no valid VOMS proxy"),
    1191: ("node", "an output file was empty"),
    1199: ("node", "a folder could not be made on the node"),
    1200: ("node", "a signal ended the job"),
    1201: ("node", "the site ended the job with SIGTERM"),
    1202: ("node", "the site ended the job with SIGQUIT"),
    1203: ("node", "the job crashed with SIGSEGV"),
    1204: ("timeout", "the job used up its processor time"),
    1205: ("user", "a user killed the job"),
    1206: ("node", "the job crashed with SIGBUS"),
    1207: ("node", "the site ended the job with SIGUSR1"),
    1208: ("node", "the site ended the job with SIGINT"),
    1212: ("oom", "the job ran out of memory"),
    1213: ("timeout", "the job reached the time limit of the site's batch system"),
    1223: ("oom", "the job ran out of memory"),
    1235: ("oom", "the job took more memory than the site allows"),
    1246: ("node", "the files of the job could not be fetched from PanDA"),
    1305: (None, "the command of the job failed"),
    1306: ("image", "Apptainer failed"),
    1307: ("image", "Apptainer had no loop device left"),
    1308: ("image", "Apptainer could not bind a folder"),
    1309: ("image", "Apptainer could not mount the image"),
    1310: (None, "the pilot failed while the job ran"),
    1318: ("node", "the node could not reach PanDA"),
    1319: ("node", "the pilot had an internal problem"),
    1325: ("image", "the node has no Apptainer"),
    1327: ("node", "the node had no network"),
    1328: (None, "the job crashed with SIGSEGV"),
    1331: ("node", "an input file was missing in its storage"),
    1334: (None, "the node could not prepare the job"),
    1335: ("node", "PanDA no longer has the files of the job"),
    1340: ("image", "Apptainer could not make a user namespace"),
    1344: ("node", "the node refused new processes or memory"),
    1345: ("image", "Apptainer could not make a user namespace"),
    1346: ("node", "PanDA's script for the job was not found"),
    1348: ("image", "Apptainer was refused processes or memory"),
    1355: (None, "the job crashed and left a core dump"),
    1359: ("node", "the queue was not active"),
    1360: ("image", "the image was not found"),
    1367: ("node", "a command of the pilot took too long"),
    1372: ("image", "the node has no Apptainer"),
    1377: ("node", "CVMFS did not answer on the node"),
    1379: ("preempted", "the site took the job's place back"),
    1384: ("image", "the queue is not set up for containers"),
    1386: ("node", "the queue was not online"),
}
_OF_OTHERS: dict[tuple[str, int], tuple[str | None, str]] = {
    ("jobDispatcher", 100): ("node", "the pilot was silent for hours, so PanDA gave the job up"),
    ("taskBuffer", KILLED_CODE): (None, "the job was killed at PanDA"),
}


def meaning(source: str, code: int) -> tuple[str | None, str]:
    """Return the reason and words for a code of a part of PanDA; (None, "") if it is unknown."""
    if source == "pilot":
        return _OF_PILOT.get(code, (None, ""))
    return _OF_OTHERS.get((source, code), (None, ""))
