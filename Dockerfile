# The image of operator and runtimes: docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/fanfare:0.1.0 .
# Each platform is compiled on itself: the C parts (SQLite, TLS) need no cross compiler then.
FROM rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY config/operator/rbac.yaml config/operator/rbac.yaml
# Cargo wants every target it reads of to be there.
COPY benches benches
COPY tests/on_cluster tests/on_cluster
RUN --mount=type=cache,target=/usr/local/cargo/registry cargo build --locked --release --bin fanfare

# glibc, certificate authorities and time zones; no shell.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
COPY --from=build /src/target/release/fanfare /usr/local/bin/fanfare
# By number, so that `runAsNonRoot` can be judged; the chart names the group too.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/fanfare"]
