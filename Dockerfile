# The five taps, and a target in an environment of its own: docker build -t marketing-taps .
# Another target: docker build --build-arg TARGET=meltanolabs-target-postgres -t marketing-taps .
FROM python:3.13-slim AS build
COPY . /source
RUN python -m venv /opt/taps && /opt/taps/bin/pip install --no-cache-dir /source
ARG TARGET=target-jsonl==0.1.4
RUN python -m venv /opt/target && /opt/target/bin/pip install --no-cache-dir setuptools "$TARGET"

FROM python:3.13-slim
LABEL org.opencontainers.image.title="marketing-taps" \
      org.opencontainers.image.description="Singer taps for Campaign Monitor, Customer.io, Iterable, Klaviyo and Mailchimp" \
      org.opencontainers.image.source="https://github.com/marketing-taps/marketing-taps" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt /opt
ENV PATH=/opt/taps/bin:/opt/target/bin:$PATH PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --create-home --home-dir /data taps
USER 10001
WORKDIR /data
# tap-x is given with its arguments; alone the image says which taps it holds.
CMD ["marketing-taps"]
