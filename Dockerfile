# Not built in CI: no container engine there. What can be checked without one is (tests/unit/test_container.py).
FROM python:3.12-slim-bookworm AS build
WORKDIR /srv/headwater
RUN python -m venv /opt/headwater
COPY requirements.lock ./
RUN /opt/headwater/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY chain chain
COPY clustering clustering
COPY api api
RUN /opt/headwater/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
RUN useradd --system --create-home --home-dir /var/lib/headwater headwater
COPY --from=build /opt/headwater /opt/headwater
ENV PATH=/opt/headwater/bin:$PATH \
    HEADWATER_HOME=/var/lib/headwater \
    HEADWATER_HOST=0.0.0.0 \
    NUMBA_CACHE_DIR=/var/lib/headwater/kernels
USER headwater
VOLUME /var/lib/headwater
EXPOSE 8740
CMD ["headwater", "serve"]
