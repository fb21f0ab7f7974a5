# Both services from one build:
#
#   docker build --target orchestrator -t acestream-orchestrator .
#   docker build --target acexy -t acestream-acexy .
#
# Nothing depends on the processor: `docker buildx build --platform linux/amd64,linux/arm64` builds both. NODE_IMAGE can name a mirror.
ARG NODE_IMAGE=node:24-bookworm-slim

# All packages of the lock file. better-sqlite3 downloads a compiled file, or compiles one with the headers of this Node.
FROM ${NODE_IMAGE} AS packages
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 make g++ \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
COPY apps/engine-simulator/package.json apps/engine-simulator/
COPY apps/gluetun-simulator/package.json apps/gluetun-simulator/
COPY apps/orchestrator/package.json apps/orchestrator/
COPY apps/proxy/package.json apps/proxy/
COPY libs/contracts/package.json libs/contracts/
COPY libs/engine-client/package.json libs/engine-client/
COPY libs/mpegts/package.json libs/mpegts/
COPY libs/orchestrator-client/package.json libs/orchestrator-client/
COPY libs/service-kit/package.json libs/service-kit/
RUN npm ci --ignore-scripts --no-audit --no-fund && npm_config_nodedir=/usr/local npm rebuild better-sqlite3

FROM packages AS build
COPY tsconfig.base.json tsconfig.json ./
COPY libs libs
COPY apps apps
RUN npm run build && find apps libs \( -name '*.d.ts' -o -name '*.d.ts.map' -o -name '*.tsbuildinfo' \) -path '*/dist/*' -delete

# Only the packages that each service needs. Without legacy-peer-deps, npm adds optional peers that the services do not use.
FROM packages AS orchestrator-packages
RUN mv node_modules/better-sqlite3/build/Release/better_sqlite3.node /tmp/ \
  && npm ci --ignore-scripts --no-audit --no-fund --omit=dev --legacy-peer-deps --workspace=@acexy/orchestrator \
  && rm -rf node_modules/better-sqlite3/deps node_modules/better-sqlite3/src \
  && mkdir -p node_modules/better-sqlite3/build/Release \
  && mv /tmp/better_sqlite3.node node_modules/better-sqlite3/build/Release/

FROM packages AS acexy-packages
RUN npm ci --ignore-scripts --no-audit --no-fund --omit=dev --legacy-peer-deps --workspace=@acexy/proxy

FROM ${NODE_IMAGE} AS service
# Fewer heaps of the C library: each costs an idle service some megabytes.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2
# The user node owns the mount points, so new volumes belong to it. /config has the .env file, /keys the key that both services share.
RUN install -d -o node -g node -m 750 /data /keys && install -d /config
WORKDIR /app
COPY docker/container-settings.mjs docker/start.mjs docker/health-check.sh docker/
COPY --from=build /app/libs libs
USER node
VOLUME ["/data", "/keys"]
# `npm run release:check` compares the version with package.json. Set the commit with --build-arg REVISION=$(git rev-parse HEAD).
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="MIT"

FROM service AS acexy
COPY --from=build /app/apps/proxy apps/proxy
COPY --from=acexy-packages /app/node_modules node_modules
ENV ACEXY_DATA_DIR=/data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
  CMD ["bash", "/app/docker/health-check.sh", "proxy"]
# The heap is the smaller part of the memory: buffers of streams are outside of it, and the kernel's for viewers too.
ENTRYPOINT ["node", "--max-semi-space-size=4", "--max-old-space-size-percentage=25", "/app/docker/start.mjs", "proxy"]
LABEL org.opencontainers.image.title="acestream-acexy" \
  org.opencontainers.image.description="Stream proxy for AceStream: one address, shared engine sessions, failover"

FROM service AS orchestrator
USER root
# For operators: docker compose exec orchestrator sqlite3 "file:/data/orchestrator.db?mode=ro" "PRAGMA integrity_check"
RUN apt-get update \
  && apt-get install -y --no-install-recommends sqlite3 \
  && rm -rf /var/lib/apt/lists/*
# docker compose exec orchestrator doctor
RUN ln -s /app/docker/doctor.mjs /usr/local/bin/doctor
USER node
COPY --from=build /app/apps/orchestrator apps/orchestrator
COPY --from=orchestrator-packages /app/node_modules node_modules
COPY docker/doctor.mjs docker/
# Engines run as containers: this image contains no engine.
ENV DATA_DIR=/data ENGINE_RUNTIME=docker
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
  CMD ["bash", "/app/docker/health-check.sh", "orchestrator"]
ENTRYPOINT ["node", "--max-semi-space-size=4", "/app/docker/start.mjs", "orchestrator"]
LABEL org.opencontainers.image.title="acestream-orchestrator" \
  org.opencontainers.image.description="Starts, checks, leases and removes AceStream engines"
