# Penstock as one image: the worker, the pages and every other command. A project's graphs are not in
# it, they are mounted at /project; what they import beside Penstock goes into an image made FROM this.
FROM python:3.13-slim AS made
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /opt/penstock \
    && /opt/penstock/bin/pip install --no-cache-dir --require-hashes \
        -r requirements/build.txt -r requirements/runtime.txt
COPY . .
RUN /opt/penstock/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
COPY --from=made /opt/penstock /opt/penstock
# A volume that is mounted at /data for the first time takes over whose folder this is.
RUN useradd --uid 10001 --no-create-home penstock \
    && install --directory --owner=penstock --group=penstock /data /project
ENV PATH="/opt/penstock/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    PENSTOCK_STORE_URL=sqlite:////data/penstock.db
USER penstock
WORKDIR /project
VOLUME /data
ENTRYPOINT ["penstock"]
CMD ["--help"]
