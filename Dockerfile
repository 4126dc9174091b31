# mirsweep in a container. For CPUs (1.9 GB of packages):
#
#     docker build -t mirsweep:0.1.0 .
#
# For NVIDIA GPUs, where scores are computed on the GPU (`--device cuda`); run it with `--gpus all`:
#
#     docker build -t mirsweep:0.1.0-gpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126 .
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
LABEL org.opencontainers.image.title="mirsweep" \
      org.opencontainers.image.licenses="MIT"
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONUNBUFFERED=1
# ps is what Nextflow measures a task with.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends procps \
    && rm -rf /var/lib/apt/lists/*
# torch goes first: what follows is then satisfied by this build and pulls no other.
COPY constraints.txt /tmp/constraints.txt
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --constraint /tmp/constraints.txt --index-url "${TORCH_INDEX}" torch \
    && pip install --no-cache-dir --constraint /tmp/constraints.txt /wheels/*.whl \
    && rm /tmp/constraints.txt
# Kernels are compiled when the image is built. They are trusted from their owner only: who runs the image as another user
# (`--user`) names a folder of that user that is kept, `--env MIRSWEEP_CACHE=/data/.mirsweep`, or waits for them each time.
RUN mirsweep demo -o /tmp/demo --quiet \
    && rm -rf /tmp/demo
WORKDIR /data
CMD ["mirsweep", "--help"]
