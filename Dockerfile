# parking in an image of its own: a static program and nothing else.
#
#   docker build -t parking .
#   docker build -t parking:1.2.3 --build-arg VERSION=1.2.3 .
#
# Without a registry, deploy/local.Dockerfile makes the same image from a
# program that was built outside.
#
# With BuildKit this compiles here for whatever platform is asked for. The classic
# builder knows no BUILDPLATFORM: there it is this machine, and so is the target.
FROM --platform=${BUILDPLATFORM:-linux} golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
# All of the checkout, .git too: Go stamps the program with its commit.
COPY . .
ARG TARGETOS TARGETARCH VERSION
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
    -ldflags="-s -w ${VERSION:+-X main.version=$VERSION}" -o /out/parking ./cmd/parking
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
