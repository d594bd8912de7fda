# The API and the playground with the trained arms: `make repro` (or `dvc pull`) first, then
#   docker build -t steady . && docker run --rm -p 127.0.0.1:8000:8000 steady
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 OMP_WAIT_POLICY=PASSIVE
WORKDIR /app

# The CPU build of torch; the other index would bring several GB of CUDA packages.
COPY requirements.txt requirements-no-deps.txt constraints.txt ./
COPY requirements/serve.txt requirements/serve.txt
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
    -r requirements.txt -r requirements/serve.txt -c constraints.txt \
 && pip install --no-cache-dir --no-deps -r requirements-no-deps.txt

COPY steady steady
COPY params.yaml params.yaml
COPY data/raw/wordings data/raw/wordings
COPY data/formatted/wordings.jsonl data/formatted/wordings.jsonl
COPY models models

RUN useradd --create-home steady
USER steady
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# Inside a container the loopback is the container's own; what is published outside is the caller's -p.
CMD ["python", "-m", "steady", "serve", "--host", "0.0.0.0", "--port", "8000"]
