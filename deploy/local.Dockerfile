# The image of ../Dockerfile, from a program that was built outside:
#
#   CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o dist/image/parking ./cmd/parking
#   docker build -t parking -f deploy/local.Dockerfile dist/image
#
# From FROM scratch on, both files are the same.
FROM scratch AS build
COPY parking /out/parking
WORKDIR /out/run

FROM scratch
LABEL org.opencontainers.image.title="parking" \
      org.opencontainers.image.description="a node of a parking cluster, without a prompt; parking attach gives one"
COPY --from=build /out/parking /parking
# Where the node and terminals on it meet. Mount a tmpfs here, where the rest is
# read-only.
COPY --from=build --chown=65532:65532 /out/run /run/parking
ENV PARKING_RUNTIME_DIR=/run/parking
USER 65532:65532
EXPOSE 7946/tcp 7946/udp 9102/tcp
ENTRYPOINT ["/parking"]
CMD ["serve"]
