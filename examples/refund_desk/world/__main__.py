"""Start the services and keep them up, or tell what happened.

python -m world            start them in $REFUND_DESK_HOME, else in ./.refund_desk
python -m world evidence   tell what was paid and mailed there
"""

import signal
import sys

from desk.letters import money
from desk.settings import home
from world.evidence import Evidence
from world.world import World


def serve() -> None:
    """Keep the services up until somebody stops them."""
    # Blocked before the services' threads begin, so that none of them gets the signal.
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    with World(home()) as world:
        print(f"{len(world.tickets)} tickets are in {world.home}; stop with Ctrl-C", flush=True)
        signal.sigwait(stops)


def tell() -> None:
    """Print what was paid and mailed, and whether any of it should not have been."""
    evidence = Evidence(home())
    for refund in evidence.refunds():
        print(f"{refund.id}  {money(refund.cents):>12}  {refund.reference}")
    for mail in evidence.mails():
        print(f"mail to {mail['To']}: {mail['Subject']}")
    problems = evidence.problems()
    print("\n".join(problems) or "Nothing happened twice, and the shop and the provider agree.")
    sys.exit(bool(problems))


if __name__ == "__main__":
    if sys.argv[1:] == ["evidence"]:
        tell()
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        serve()
