# The processor: `outerloop serve`, and the other commands but `up` and `demo`, as there is no Envoy.
#
#   docker build -t registry.example/outerloop-extproc:0.1.0 .
#
# What is installed stands by version and hash in docker/, written by docker/lock.py. The base is
# yours to pin: --build-arg PYTHON=python@sha256:...
ARG PYTHON=python:3.13-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY docker/build.txt docker/requirements.txt docker/
RUN python -m venv tools \
 && tools/bin/pip install --require-hashes --only-binary=:all: -r docker/build.txt
RUN python -m venv --without-pip /opt/outerloop \
 && tools/bin/pip --python /opt/outerloop install --require-hashes --only-binary=:all: --no-compile \
    -r docker/requirements.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY extproc extproc
COPY examples/travel examples/travel
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist .
RUN tools/bin/pip --python /opt/outerloop install --no-deps --no-index --no-compile \
    dist/outerloop_extproc-*.whl \
 && tools/bin/pip --python /opt/outerloop check
# Python cannot do it where it runs, as the root is read-only there.
RUN /opt/outerloop/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/outerloop/lib

FROM ${PYTHON}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="outerloop-extproc" \
      org.opencontainers.image.description="The outer loop for AI agents, as an Envoy external-processing filter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# No pip where nothing is to be installed. The base brings its own library uncompiled.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip \
 && python -c "import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=2)"
COPY --from=build /opt/outerloop /opt/outerloop
ENV PATH=/opt/outerloop/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /
EXPOSE 9001 9902
ENTRYPOINT ["outerloop"]
CMD ["--help"]
