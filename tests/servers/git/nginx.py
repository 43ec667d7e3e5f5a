"""nginx before a host, as one that serves many would have it: it moves LFS contents by itself and hands everything else on.

The host's Python takes more CPU for each byte than a client does; nginx stands for the servers that Git hosts run. For measurements only: that
something permits a transfer is enough for it. It has as many connections as Debian's own settings give it.
"""

import os
import socket
import subprocess
import time
from pathlib import Path

CONFIG = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors warn;
events {{ worker_connections 768; }}
http {{
    access_log off; default_type application/octet-stream; server_tokens off;
    client_max_body_size 0; client_body_buffer_size 1m; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    sendfile on; sendfile_max_chunk 1m; tcp_nopush on; keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port};
        location ~ "^/(.+)\\.git/info/lfs/objects/storage/([0-9a-f]{{64}})$" {{
            set $may "$http_authorization$arg_jwt";
            if ($may = "") {{ return 401; }}
            alias {store}/$1/$2;
            dav_methods PUT; create_full_put_path on;
        }}
        location / {{
            proxy_pass {host}; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection "";
            proxy_buffering off; proxy_request_buffering off;
        }}
    }}
}}
"""


class Nginx:
    """nginx at an address of its own, before `host`; its files are in `folder`."""

    def __init__(self, host, folder):
        self.folder = Path(folder)
        self.folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        config = self.folder / "nginx.conf"
        user = "user root;" if os.getuid() == 0 else ""
        config.write_text(user + CONFIG.format(folder=self.folder, store=host.store, port=port, host=host.url))
        self.process = subprocess.Popen(["nginx", "-p", str(self.folder), "-e", "stderr", "-c", str(config)])
        until_it_listens(port, self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def until_it_listens(port, process):
    while process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("nginx did not start")
