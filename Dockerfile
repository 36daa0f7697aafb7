# One image for the api, wsd and worker of docker-compose.yml; deploy/docker/entrypoint knows them.

FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    gcc make pkg-config libc6-dev libfcgi-dev libpq-dev libhiredis-dev libjson-c-dev uuid-dev \
    libev-dev libwslay-dev nettle-dev libseccomp-dev
WORKDIR /src
COPY . .
RUN make -j"$(nproc)" installed && strip build/release/mcs-*

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
    lighttpd libfcgi0ldbl libpq5 libhiredis0.14 libjson-c5 libuuid1 libev4 libwslay1 libnettle8 \
    libseccomp2 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/lighttpd /var/log/*
# The folder of the sockets is made here, so that the volume mounted there belongs to the user mcs. There
# is no access log: `logs -f api` shows the transitions of calls.
RUN useradd --system --user-group --no-create-home --home-dir /nonexistent mcs \
    && mkdir -p /run/mcs/log && ln -s /dev/null /run/mcs/log/access.log && : >/run/mcs/lock \
    && mkdir -m 700 /run/mcs/run && chown mcs:mcs /run/mcs/run
# The same folders as in a clone that was built, because lighttpd.conf includes `./mcs vars`.
WORKDIR /opt/mcs
COPY --from=build /src/build/release/mcs-* build/release/
COPY mcs lighttpd.conf ./
COPY tools tools
COPY common/config.def common/libpq.def common/
COPY deploy deploy
ENV PATH=/opt/mcs/build/release:$PATH MCS_VAR=/run/mcs BIND=0.0.0.0
USER mcs
ENTRYPOINT ["/opt/mcs/deploy/docker/entrypoint"]
CMD ["api"]
