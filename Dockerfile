# The app as `npm ci && npm start` run it. The runtime itself is one of its packages; the image only has to bring npm.
FROM node:24-slim

# The working folder as well, since the build writes into it.
RUN mkdir -p /app /data /music && chown node:node /app /data /music
WORKDIR /app
USER node

# Dependencies change less often than sources: they are a layer of their own.
COPY --chown=node:node package.json package-lock.json .npmrc ./
RUN npm ci
COPY --chown=node:node . .
RUN npm run build

ENV HOST=0.0.0.0 PORT=3000 DATA_DIR=/data MUSIC_DIR=/music
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The command of `npm start` itself: npm would keep the signal that asks the server to drain to itself.
CMD ["node_modules/.bin/node", "--max-semi-space-size=4", "--no-parallel-scavenge", "--import", "./scripts/compile-cache.js", "src/server/main.ts"]
