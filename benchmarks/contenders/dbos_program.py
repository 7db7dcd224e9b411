"""DBOS: the engine is a library in the program's own process; its database is SQLite or PostgreSQL, by URL."""

import asyncio
import sys

from dbos import DBOS
from loop import RESULT, serve_loads

DBOS(config={"name": "benchmark", "system_database_url": sys.argv[1], "log_level": "ERROR", "run_admin_server": False})


@DBOS.step()
async def answer() -> str:
    return RESULT


@DBOS.workflow()
async def n_steps(count: int) -> str:
    result = ""
    for _ in range(count):
        result = await answer()
    return result


async def main() -> None:
    DBOS.launch()
    await serve_loads(n_steps)
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main())
