# The production image: kore, corgi.so in the prod flavour, corgictl, and the
# libraries they need. No compiler, no package that only builds.

FROM debian:bookworm-slim AS build
WORKDIR /corgi
COPY scripts/packages scripts/install scripts/
RUN scripts/install run && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make prod && strip build/prod/corgi/corgi.so build/prod/corgictl

FROM debian:bookworm-slim
# Debian's package kore depends on development files of OpenSSL, PostgreSQL and
# the C library, for kodev: 50 MB that a running service has no use for. So its
# libraries come as packages, which security updates and scanners know, and its
# program is copied, with its licence (ISC).
COPY scripts/packages /tmp/packages
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends $(/tmp/packages runtime) \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt \
    /var/log/dpkg.log /tmp/packages \
 && groupadd --gid 10001 corgi \
 && useradd --uid 10001 --gid corgi --no-log-init --no-create-home \
    --home-dir /data --shell /usr/sbin/nologin corgi \
 && install -d -o corgi -g corgi -m 0700 /data
COPY --from=build /usr/share/doc/kore/copyright /usr/share/doc/kore/copyright
COPY --from=build /usr/bin/kore /usr/bin/kore
COPY LICENSE /usr/share/doc/corgi/copyright
COPY kore.conf /usr/lib/corgi/kore.conf
COPY conf/limits.conf conf/routes.conf /usr/lib/corgi/conf/
COPY --from=build /corgi/build/prod/corgictl /usr/local/bin/corgictl
COPY --from=build /corgi/build/prod/corgi/corgi.so /usr/lib/corgi/corgi.so

LABEL org.opencontainers.image.title="Corgi" \
      org.opencontainers.image.description="Login and JWT guard service on Kore" \
      org.opencontainers.image.licenses="MIT"
ENV CORGI_DATA_DIR=/data
# The paths in kore.conf are relative to this.
WORKDIR /usr/lib/corgi
USER corgi
VOLUME /data
EXPOSE 8888
HEALTHCHECK --interval=15s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/usr/local/bin/corgictl", "health"]
ENTRYPOINT ["/usr/bin/kore", "-fnr", "-c", "kore.conf"]
