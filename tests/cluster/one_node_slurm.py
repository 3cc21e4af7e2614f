"""A real SLURM on this machine, on loopback, for tests: one scheduler (`slurmctld`) and one or two nodes (`slurmd`).

    apt-get install --no-install-recommends slurmctld slurmd slurm-client slurm-wlm-basic-plugins
    python -m tests.cluster.one_node_slurm FOLDER [NODES]

starts one in the foreground and prints what to export so that `sbatch` and `squeue` speak to it. Tests take the fixture
`slurm`. Ports are its own and state stays in the folder, so several can run side by side. Without accounting, like many
small clusters: `sacct` fails. The times of the scheduler are short, so that tests need not wait.

Where this user may make namespaces, each node is more like a machine of its own: it has its own name (`n1`, `n2`) and
its own process ids, and its processes cannot see or signal those of the tests. Files are shared.
"""

from __future__ import annotations

import getpass
import os
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from engine.store.home import REPOSITORY

# Each node pretends to have these, whatever this machine has
CPUS = 4
MEMORY_MIB = 8000
GPUS = 2

# Debian puts daemons in a folder that is not on an ordinary user's path
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

# Seconds. A node starts in about two; this is for a machine that is busy with other tests
PATIENCE = 120.0

# Sockets `spool-n1/n1_JOB.STEP` stand below the folder, and the address of a socket has 108 bytes
LONGEST_FOLDER = 76

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={hostname}(127.0.0.1)
SlurmctldPort={scheduler_port}
SlurmUser={user}
SlurmdUser={user}

# Nothing to install beside SLURM, and nothing listens beyond this machine
AuthType=auth/none
CredType=cred/none
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
MailProg=/bin/true

StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log

ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none

SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
DefMemPerCPU=500
GresTypes=gpu

# Schedule at once; the defaults wait three seconds for more jobs of a batch
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1

# A requeued job waits until its old credential has expired: by default two minutes
JobRequeue=1
AuthInfo=cred_expire=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# A job that is ended gets SIGTERM, and this many seconds later SIGKILL
KillWait=5
OverTimeLimit=0
MinJobAge=300

# A node that does not answer for this many seconds is down
SlurmdTimeout=5
ReturnToService=2

{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00 DefaultTime=10 PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=1:00:00 PriorityTier=10 PreemptMode=OFF
PartitionName=short Nodes=ALL MaxTime=1 PriorityTier=1
"""

# With namespaces: a name of its own, which slurmd looks up. The shell stays as the first process and buries orphans.
# An ordinary user may do that in a user namespace.
NODE_IN_NAMESPACES = [
    *("unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"),
    *(("--user", "--map-current-user", "--keep-caps") if os.geteuid() != 0 else ()),
    *("sh", "-ec"),
]
NODE_SCRIPT = 'hostname "$0"; mount --bind "$1" /etc/hosts; shift; "$@" & wait'


def missing() -> str:
    """Why there can be no SLURM here, in words; empty where there can be one."""
    if sys.platform != "linux":
        return "SLURM runs on Linux"
    absent = [name for name in ("slurmctld", "slurmd", "sbatch") if shutil.which(name, path=SEARCH_PATH) is None]
    return f"{', '.join(absent)} not found (apt-get install slurmctld slurmd slurm-client)" if absent else ""


class Slurm:
    """A scheduler with nodes named `n1` and, if asked for, `n2`.

    Partitions: `main` (the default), `short` (a minute at most) and `urgent` (its jobs throw those of the others out,
    which are requeued). A node has 4 CPUs, 8000 MiB and 2 GPUs (`--gres=gpu:1`), which are only counted.
    """

    def __init__(self, folder: Path, nodes: int = 1):
        self.folder = folder
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        self.configuration = folder / "slurm.conf"
        self._keepers: dict[str, subprocess.Popen[bytes]] = {}
        self.own_machines = _may_make_namespaces()
        """Whether each node has its own host name and process ids."""

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment must have on top, so that `sbatch` and `squeue` speak to this SLURM."""
        return {"SLURM_CONF": str(self.configuration), "PATH": SEARCH_PATH}

    def __enter__(self) -> Slurm:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all and wait until the nodes are idle.

        Raises:
            ValueError: the folder's path is too long
            RuntimeError: it does not come up; with the end of the logs
        """
        if len(os.fsencode(self.folder)) > LONGEST_FOLDER:
            raise ValueError(
                f"{self.folder} is too long for SLURM's sockets; {LONGEST_FOLDER} bytes are expected at most"
            )
        try:
            self._write_configuration()
            self._keep("slurmctld", [_tool("slurmctld"), "-D"])
            for node in self.nodes:
                self._keep_node(node)
            self.wait_until(lambda: set(self.node_states().values()) == {"idle"}, "all nodes idle")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill the daemons and every process of every job."""
        for name in list(self._keepers):
            self._end(name)

    def clear(self) -> None:
        """Cancel all jobs, start the nodes that are down, and wait until all are idle."""
        for node in self.nodes:
            if node not in self._keepers:
                self._keep_node(node)
        self.command("scancel", "--user", getpass.getuser())
        idle = dict.fromkeys(self.nodes, "idle")
        self.wait_until(
            lambda: not self.command("squeue", "--noheader").stdout and self.node_states() == idle, "no jobs"
        )

    def command(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a client, such as `command("squeue", "-h")`.

        Raises:
            subprocess.CalledProcessError: it failed, unless `check` is off
        """
        return subprocess.run(
            [str(argument) for argument in arguments],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=check,
        )

    def submit(self, script: str, *options: str) -> str:
        """Hand in a shell script, the text of it; returns the job's id. It writes to `<folder>/<id>.out`."""
        name = "%A_%a.out" if any(option.startswith("--array") for option in options) else "%j.out"
        output = f"--output={self.folder}/{name}"
        # Else a requeued job begins its output anew
        finished = self.command("sbatch", "--parsable", output, "--open-mode=append", *options, "--wrap", script)
        return finished.stdout.strip()

    def job(self, job: str) -> dict[str, str]:
        """What `scontrol show job` says, by name: `JobState`, `Reason`, `Restarts`, `ExitCode`, `NodeList`, ..."""
        shown = self.command("scontrol", "--oneliner", "show", "job", job).stdout
        return dict(re.findall(r"(\S+?)=(\S*)", shown.splitlines()[0]))

    def output(self, job: str) -> str:
        """What the job has written so far; empty before it writes."""
        file = self.folder / f"{job}.out"
        return file.read_text() if file.exists() else ""

    def node_states(self) -> dict[str, str]:
        """Each node's state as `sinfo` names it: `idle`, `mixed`, `allocated`, `down`, `idle*` (does not answer), ...

        Empty while the scheduler does not answer.
        """
        finished = self.command("sinfo", "--noheader", "--Node", "--format=%N %T", check=False)
        if finished.returncode != 0:
            return {}
        return dict(line.split() for line in finished.stdout.splitlines())

    def take_down(self, node: str, noticed: bool = True) -> None:
        """Kill a node's `slurmd` and all its jobs' processes, as when its power fails.

        The scheduler notices by itself within half a minute, and is told so at once unless `noticed` is off.
        """
        self._end(node)
        if noticed:
            self.command("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=Not responding")

    def bring_up(self, node: str) -> None:
        """Start a node again and wait until it takes jobs."""
        self._keep_node(node)
        self.wait_until(lambda: self.node_states()[node] in ("idle", "mixed", "allocated"), f"{node} up")

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds.

        Raises:
            RuntimeError: it never did; with the queue and the end of the logs
        """
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(f"never saw {what}:\n{self._state()}")
            time.sleep(0.1)

    def wait_for_state(self, job: str, *states: str) -> None:
        """Wait until a job is in one of the states, such as `RUNNING`."""
        self.wait_until(lambda: self.job(job)["JobState"] in states, f"job {job} {' or '.join(states)}")

    def _write_configuration(self) -> None:
        for name in ("state", *(f"spool-{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        hostname = socket.gethostname()
        scheduler_port, *node_ports = free_ports(1 + len(self.nodes))
        nodes = [
            f"NodeName={node} NodeHostname={hostname} NodeAddr=127.0.0.1 Port={port} "
            f"CPUs={CPUS} RealMemory={MEMORY_MIB} Gres=gpu:{GPUS}"
            for node, port in zip(self.nodes, node_ports, strict=True)
        ]
        self.configuration.write_text(
            CONFIGURATION.format(
                hostname=hostname,
                scheduler_port=scheduler_port,
                user=getpass.getuser(),
                folder=self.folder,
                nodes="\n".join(nodes),
            )
        )
        (self.folder / "hosts").write_text(
            "\n".join(f"127.0.0.1 {n}" for n in ("localhost", hostname, *self.nodes)) + "\n"
        )
        # Devices that exist everywhere stand for GPUs; SLURM only counts them
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n")

    def _keep_node(self, node: str) -> None:
        daemon = [_tool("slurmd"), "-D", "-N", node]
        if self.own_machines:
            daemon = [*NODE_IN_NAMESPACES, NODE_SCRIPT, node, str(self.folder / "hosts"), *daemon]
        self._keep(node, daemon)

    def _keep(self, name: str, daemon: list[str]) -> None:
        with (self.folder / f"{name}.out").open("ab") as output:
            self._keepers[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster.keeper", *daemon],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=REPOSITORY,
                env=os.environ | self.environment,
                # Ctrl-C in a terminal is for this process, which ends the keepers in order
                start_new_session=True,
            )

    def _end(self, name: str) -> None:
        keeper = self._keepers.pop(name)
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait(PATIENCE)

    def _state(self) -> str:
        queue = self.command("squeue", check=False)
        nodes = self.command("sinfo", "--list-reasons", check=False)
        logs = sorted([*self.folder.glob("slurmctld.log"), *self.folder.glob("slurmd-*.log")])
        ends = ["\n".join([f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-15:]]) for log in logs]
        parts = [queue.stdout, queue.stderr, nodes.stdout, *ends]
        return "\n".join(parts)


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on, below those that the system hands out by itself (from 32768)."""
    found: list[int] = []
    while len(found) < n:
        port = random.SystemRandom().randrange(20000, 30000)
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def _tool(name: str) -> str:
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise RuntimeError(missing())
    return found


def _may_make_namespaces() -> bool:
    if shutil.which("unshare") is None or shutil.which("hostname") is None:
        return False
    trial = [*NODE_IN_NAMESPACES, NODE_SCRIPT, "n1", "/etc/hosts", "true"]
    return subprocess.run(trial, capture_output=True).returncode == 0


def main(arguments: list[str]) -> None:
    """Run one in the foreground until Ctrl-C or the end of standard input."""
    folder = Path(arguments[0]).absolute()
    with Slurm(folder, int(arguments[1]) if len(arguments) > 1 else 1) as slurm:
        for name, value in slurm.environment.items():
            print(f"export {name}={shlex.quote(value)}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main(sys.argv[1:])
