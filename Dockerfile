# Strandline with all extras; it serves the app. README.md says how it is built and run.
FROM python:3.12-slim

# Certificates for HTTPS; libexpat, which wheels of rasterio take from the system.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libexpat1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /strandline
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip install --no-cache-dir '.[io,stac,vector,viz]'

# Files of others are opened here: not as root, and only below /scenes.
RUN useradd --create-home strandline && mkdir /scenes && chown strandline /scenes
USER strandline
WORKDIR /home/strandline

EXPOSE 5006
ENTRYPOINT ["strandline"]
# All addresses of the container; who reaches them is up to --publish.
CMD ["app", "--no-browser", "--address", "0.0.0.0", "/scenes"]
