# The sandbox's image: two hubs for local testing. The build context holds the static binary and an empty folder, data,
# where blobs go.
FROM scratch
ARG VERSION=unknown
LABEL org.opencontainers.image.title="hf2ms-sandbox" \
      org.opencontainers.image.description="Hubs for tests, with faults on request: not for anything that matters" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY hf2ms-sandbox /hf2ms-sandbox
COPY --chown=65532:65532 data /data
USER 65532:65532
ENTRYPOINT ["/hf2ms-sandbox", "serve", "--dir", "/data", "--bind", "0.0.0.0", \
            "--hf", "8001", "--hf-storage", "8002", "--ms", "8003", "--ms-storage", "8004", "--admin", "8005"]
CMD ["--advertise", "sandbox"]
