"""`app` for WSGI servers (`gistapi.gistapi:app`); run as a script, it serves.

A script's own folder is first on the path, where `import gistapi` finds this file and not the
package. So the script puts the folder above there (worker processes inherit it) and continues as
`python -m gistapi`, which no spawned process imports again.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    import runpy

    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    runpy.run_module("gistapi", run_name="__main__", alter_sys=True)
else:
    from gistapi.app import create_app

    app = create_app()
