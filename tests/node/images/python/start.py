"""Starts the API after its settings are read; a missing one ends it with Python's own traceback."""

import os


def read_settings():
    return {"database_url": os.environ["DATABASE_URL"]}


def main():
    settings = read_settings()
    os.execv("/app/dpp", ["/app/dpp", "api", *settings.get("arguments", [])])


if __name__ == "__main__":
    main()
