# docker build -t gistapi . && docker run -p 9876:9876 gistapi

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY .ci/poetry.txt .ci/
RUN python -m venv /opt/poetry && /opt/poetry/bin/pip install --quiet --requirement .ci/poetry.txt
COPY pyproject.toml poetry.lock ./
RUN /opt/poetry/bin/poetry export --only main --output requirements.txt \
    && python -m venv --without-pip /opt/gistapi \
    && pip --python /opt/gistapi/bin/python install --quiet --no-compile \
        --no-deps --require-hashes --requirement requirements.txt
COPY README.md LICENSE ./
COPY gistapi gistapi
# The files never change, so their bytecode is not checked; nothing is compiled at the start.
RUN /opt/poetry/bin/poetry build --quiet --format wheel \
    && pip --python /opt/gistapi/bin/python install --quiet --no-compile --no-deps dist/*.whl \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/gistapi/lib

FROM python:3.13-slim
LABEL org.opencontainers.image.title="gistapi" \
      org.opencontainers.image.description="Which of a GitHub user's public gists match a regular expression?" \
      org.opencontainers.image.licenses="MIT"
# The variable names the file of keys and is no secret.
# hadolint ignore=DL3064
ENV PATH=/opt/gistapi/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GISTAPI_HOST=0.0.0.0 \
    GISTAPI_CACHE_URL=sqlite:////var/cache/gistapi/cache.sqlite3 \
    GISTAPI_KEYS_FILE=/var/lib/gistapi/keys.json
# Python's own library comes without bytecode, and cannot get any at run time.
RUN pip uninstall --quiet --yes --root-user-action=ignore pip \
    && python -m compileall -q --invalidation-mode unchecked-hash \
        -x '/(ensurepip|idlelib|lib2to3|pydoc_data|site-packages|test|tkinter|turtledemo)/' \
        /usr/local/lib/python3.13 \
    && useradd --uid 10001 --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin gistapi \
    && install --directory --owner=gistapi --group=gistapi --mode=700 \
        /var/cache/gistapi /var/lib/gistapi
COPY --from=build /opt/gistapi /opt/gistapi
# Numbers: Kubernetes' runAsNonRoot cannot look up a name.
USER 10001:10001
VOLUME /var/cache/gistapi /var/lib/gistapi
EXPOSE 9876
STOPSIGNAL SIGTERM
# Not urllib: it would use a proxy that the environment names.
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s \
    CMD ["python", "-ISc", "import http.client, os; ping = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('GISTAPI_PORT') or 9876), timeout=4); ping.request('GET', '/ping'); raise SystemExit(ping.getresponse().status != 200)"]
CMD ["gistapi", "serve"]
