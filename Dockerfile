# Built and run as service/OPERATIONS.md says: docker compose up --build
FROM python:3.11-slim-bookworm

# The CPU build of PyTorch: that of PyPI brings gigabytes of CUDA.
ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /app
# With requirements-e5.txt for the model e5-small, with requirements-milvus.txt for the Milvus engine.
ARG REQUIREMENTS=requirements.txt
COPY requirements.txt requirements-e5.txt requirements-milvus.txt ./
RUN for file in ${REQUIREMENTS}; do python -m pip install -r "$file" || exit 1; done
COPY index ./index
COPY service ./service
COPY scripts ./scripts
RUN python -m compileall -q index service scripts
RUN useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin xunzhang \
    && install -d -o 10001 -g 10001 -m 0700 /data

# Nothing but /data and /tmp is written, so that the root file system may be read-only.
ENV PYTHONPATH=/app \
    XUNZHANG_DATA=/data \
    XUNZHANG_HOST=0.0.0.0 \
    XUNZHANG_PORT=8000 \
    XUNZHANG_LOG=json \
    HF_HOME=/data/hub \
    XUNZHANG_MODELS=/data/models
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-P", "-m", "scripts.healthy"]
ENTRYPOINT ["python", "-P", "-m", "scripts.server"]
