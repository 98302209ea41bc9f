"""nginx: a `server` per host (hashed), a prefix `location` per path (a static tree)."""

import pathlib
import signal

import routes
from peers import MANY

CONFIGURATION = "nginx.conf"
UNABLE = {}
SHARED_PORTS = {}

MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")


def command(setting):
    (setting.folder / CONFIGURATION).write_text(_configuration(setting))
    return ["nginx", "-p", str(setting.folder), "-c", str(setting.folder / CONFIGURATION)]


def replace_routes(setting, process):
    (setting.folder / CONFIGURATION).write_text(_configuration(setting))
    process.send_signal(signal.SIGHUP)


def _configuration(setting):
    folder, ports, backend = setting.folder, setting.ports, setting.backend
    reuse = " reuseport" if setting.workers > 1 else ""
    canary_name, canary_value = routes.CANARY_HEADER
    return f"""{f"load_module {MODULE};" if MODULE.exists() else ""}
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes {setting.workers};
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_requests {MANY};
    keepalive_timeout 600s;
    client_header_timeout 600s;
    client_body_timeout 600s;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {setting.certificate};
    ssl_certificate_key {setting.key};
    ssl_session_cache shared:sessions:10m;
    server_names_hash_max_size 32768;
    server_names_hash_bucket_size 128;
    # Bodies are never put into files.
    proxy_max_temp_file_size 0;
    proxy_buffers 16 32k;
    proxy_busy_buffers_size 64k;
    proxy_request_buffering off;
    proxy_read_timeout 600s;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    grpc_read_timeout 600s;
    grpc_send_timeout 600s;
    grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    grpc_set_header X-Forwarded-Proto $scheme;
    upstream app {{
        server 127.0.0.1:{backend.http};
        keepalive 256;
        keepalive_requests {MANY};
        keepalive_timeout 600s;
    }}
    upstream canary {{
        server 127.0.0.1:{backend.canary};
        keepalive 256;
        keepalive_requests {MANY};
        keepalive_timeout 600s;
    }}
    upstream app-http2 {{
        server 127.0.0.1:{backend.http};
        keepalive 256;
        keepalive_requests {MANY};
        keepalive_timeout 600s;
    }}
    map $http_{canary_name.replace("-", "_")} $by_header {{
        default app;
        {canary_value} canary;
    }}
    server {{
        listen 127.0.0.1:{ports.http} default_server{reuse};
        listen 127.0.0.1:{ports.https} ssl http2 default_server{reuse};
        listen 127.0.0.1:{ports.h2c} http2 default_server{reuse};
        return 404;
    }}
    server {{
        listen 127.0.0.1:{ports.http};
        server_name {routes.WEBSOCKET};
        location / {{
            proxy_pass http://app;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
    server {{
        listen 127.0.0.1:{ports.h2c} http2;
        server_name {routes.GRPC};
        location /{routes.GRPC_SERVICE}/ {{ grpc_pass grpc://app-http2; }}
    }}
    # Of its modules, the one for gRPC alone speaks HTTP/2 to a backend.
    server {{
        listen 127.0.0.1:{ports.h2c} http2;
        server_name {routes.H2C};
        location / {{ grpc_pass grpc://app-http2; }}
    }}
{_servers(setting)}}}
{_stream(setting) if MODULE.exists() else ""}"""


def _servers(setting):
    location = {
        "hosts": "proxy_pass http://app;",
        "paths": "proxy_pass http://app;",
        "headers": "proxy_pass http://$by_header;",
        "filters": _filters(),
    }[setting.routes.kind]
    return "".join(
        f"""    server {{
        listen 127.0.0.1:{setting.ports.http};
        listen 127.0.0.1:{setting.ports.https} ssl http2;
        server_name {host};
{"".join(f"        location {prefix} {{ {location} }}{chr(10)}" for prefix in prefixes)}    }}
"""
        for host, prefixes in setting.routes.by_host()
    )


def _filters():
    """`proxy_pass` with a path replaces the prefix; headers set here hide those set above."""
    name, value = routes.SET_HEADER
    answer_name, answer_value = routes.ANSWER_HEADER
    return f"""proxy_pass http://app{routes.REWRITTEN};
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header {name} {value};
            proxy_set_header {routes.REMOVED_HEADER} "";
            add_header {answer_name} {answer_value}; """


def _stream(setting):
    ports, backend = setting.ports, setting.backend
    return f"""stream {{
    access_log off;
    proxy_buffer_size 64k;
    proxy_timeout 600s;
    map $ssl_preread_server_name $by_name {{
        {routes.PASSTHROUGH} 127.0.0.1:{backend.https};
    }}
    server {{
        listen 127.0.0.1:{ports.tcp};
        proxy_pass 127.0.0.1:{backend.http};
    }}
    server {{
        listen 127.0.0.1:{ports.passthrough};
        ssl_preread on;
        proxy_pass $by_name;
    }}
    server {{
        listen 127.0.0.1:{ports.udp} udp;
        proxy_pass 127.0.0.1:{backend.udp};
    }}
}}
"""
