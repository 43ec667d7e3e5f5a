"""What GitLab's REST API says of projects and their pull mirrors, as far as its documentation tells (docs.gitlab.com/api/projects,
docs.gitlab.com/api/project_pull_mirroring). Nothing is pulled: a test says how it goes on."""

import json
import re
from urllib.parse import unquote

# A token and the role of its owner.
MAINTAINER, DEVELOPER, READER = "glpat-maintainer-canary", "glpat-developer-canary", "glpat-read-api-canary"
ROLES = {MAINTAINER: 40, DEVELOPER: 30, READER: 0}


class GitLab:
    """One instance. `edition` is ee or ce; `route` new (17.6 and later) or old."""

    def __init__(self, host):
        self.host = host
        self.fresh()

    def fresh(self):
        self.edition, self.route, self.projects, self.groups, self.asked = "ee", "new", {}, {"team": 7}, []
        self.next_states = []

    def project(self, path, **more):
        number = len(self.projects) + 1
        self.projects[path] = {"id": number, "path_with_namespace": path, "visibility": "private", **more}
        return self.projects[path]

    def __call__(self, environ, begin):
        method, path = environ["REQUEST_METHOD"], environ.get("RAW_URI", environ.get("REQUEST_URI", environ["PATH_INFO"])).split("?")[0]
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = json.loads(raw) if raw else {}
        self.asked.append((method, path, body))
        role = ROLES.get(environ.get("HTTP_PRIVATE_TOKEN", ""))
        status, answer = ("401 Unauthorized", {"message": "401 Unauthorized"}) if role is None else self.answer(method, path, body, role)
        begin(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    def answer(self, method, path, body, role):
        rest = path.removeprefix("/api/v4/")
        if rest == "version":
            return "200 OK", {"version": "17.9.0", "enterprise": self.edition == "ee"}
        if method == "POST" and rest == "projects":
            return self.create(body, role)
        if found := re.fullmatch(r"namespaces/([^/]+)", rest):
            name = unquote(found[1])
            return ("200 OK", {"id": self.groups[name], "full_path": name}) if name in self.groups else NOT_FOUND("Namespace")
        if found := re.fullmatch(r"projects/([^/]+)(/mirror/pull)?", rest):
            key = unquote(found[1])
            project = next((p for path, p in self.projects.items() if key in (path, str(p["id"]))), None)
            if project is None:
                return NOT_FOUND("Project")
            return self.mirror(method, project, body, role) if found[2] else self.edit(method, project, body, role)
        return "404 Not Found", {"error": "404 Not Found"}

    def create(self, body, role):
        if role < 30:
            return "403 Forbidden", {"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token."}
        space = next(name for name, number in self.groups.items() if number == body.get("namespace_id", 7))
        path = f"{space}/{body['path']}"
        if path in self.projects:
            return "400 Bad Request", {"message": {"path": ["has already been taken"]}}
        return "201 Created", self.project(path, visibility=body.get("visibility", "private"))

    def edit(self, method, project, body, role):
        if method == "GET":
            return "200 OK", shown(project)
        if role < 40:
            return "403 Forbidden", {"message": "403 Forbidden"}
        if self.edition == "ce":
            # What the edition does not know is not taken, and not complained of.
            body = {key: value for key, value in body.items() if key not in ("mirror", "import_url")}
        project.update(body)
        return "200 OK", shown(project)

    def mirror(self, method, project, body, role):
        if self.edition == "ce" or (method == "PUT" and self.route == "old"):
            return "404 Not Found", {"error": "404 Not Found"}
        if role < 40:
            return "403 Forbidden", {"message": "403 Forbidden"}
        if method == "PUT":
            project.update(mirror=body["enabled"], import_url=body["url"], auth=(body.get("auth_user"), body.get("auth_password")))
            return "200 OK", self.state(project)
        if method == "POST":
            return ("200 OK", {}) if project.get("mirror") else ("400 Bad Request", {"message": "The project is not mirrored"})
        if not project.get("mirror"):
            return "400 Bad Request", {"message": "The project is not mirrored"}
        if self.next_states:
            project["state"] = self.next_states.pop(0)
        return "200 OK", self.state(project)

    def state(self, project):
        state = {"id": 1, "enabled": True, "update_status": "none", "last_error": None, "last_successful_update_at": None}
        return {**state, "url": re.sub("//[^@/]*@", "//*****:*****@", project["import_url"]), **project.get("state", {})}


def shown(project):
    return {key: value for key, value in project.items() if key not in ("import_url", "auth", "state")}


def NOT_FOUND(what):
    return "404 Not Found", {"message": f"404 {what} Not Found"}
