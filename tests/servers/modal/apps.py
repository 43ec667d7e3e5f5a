"""Apps of the plane and what they are made of: functions, images, mounts, secrets. Everything that `modal deploy` asks."""

import os
import time

from google.protobuf.empty_pb2 import Empty
from grpclib import Status
from modal_proto import api_pb2
from servers.modal.wire import new_id, refuse

DEPLOYED, STOPPED = api_pb2.APP_STATE_DEPLOYED, api_pb2.APP_STATE_STOPPED
BUILT = api_pb2.GenericResult(status=api_pb2.GenericResult.GENERIC_STATUS_SUCCESS)


class App:
    """One app: a name, a state, and functions by name."""

    def __init__(self, app_id, name):
        self.id, self.name = app_id, name
        self.state = api_pb2.APP_STATE_INITIALIZING
        self.created = time.time()
        self.deployed = 0
        self.functions = {}

    def lifecycle(self):
        return api_pb2.AppLifecycle(app_state=self.state, created_at=self.created, version=self.deployed)


class Function:
    """One function: what it is, as its deployer said."""

    def __init__(self, function_id, app, precreated):
        self.id, self.app, self.name = function_id, app, precreated.function_name
        self.definition = None
        self.handle = api_pb2.FunctionHandleMetadata(
            function_name=precreated.function_name,
            function_type=precreated.function_type,
            function_schema=precreated.function_schema,
            supported_input_formats=precreated.supported_input_formats,
            supported_output_formats=precreated.supported_output_formats,
            app_id=app.id,
            definition_id=new_id("de"),
        )

    def data(self):
        """The definition as it is told to whoever looks the function up."""
        of = self.definition
        data = api_pb2.FunctionData(module_name=of.module_name, function_name=of.function_name, timeout_secs=of.timeout_secs)
        data.ranked_functions.append(api_pb2.FunctionData.RankedFunction(rank=0, function=of))
        return data


class Apps:
    """All apps and the RPCs that make, find and stop them."""

    def __init__(self, blobs):
        self.blobs = blobs
        self.apps, self.functions, self.secrets, self.mounts, self.images = {}, {}, {}, {}, {}
        self.files = {}
        self.stopped = lambda app: None

    def deployed(self, name):
        """The app that is deployed under a name, or None."""
        return next((app for app in self.apps.values() if app.name == name and app.state == DEPLOYED), None)

    def function(self, function_id):
        if function := self.functions.get(function_id):
            return function
        raise refuse(Status.NOT_FOUND, f"no function {function_id}")

    # Apps

    async def EnvironmentGetOrCreate(self, request, caller):
        settings = api_pb2.EnvironmentSettings(image_builder_version="2025.06")
        metadata = api_pb2.EnvironmentMetadata(name=request.deployment_name or "main", settings=settings)
        return api_pb2.EnvironmentGetOrCreateResponse(environment_id=new_id("en"), metadata=metadata)

    async def AppGetByDeploymentName(self, request, caller):
        app = self.deployed(request.name)
        answer = api_pb2.AppGetByDeploymentNameResponse(environment_name="main")
        if app:
            answer.app_id = app.id
            answer.lifecycle.CopyFrom(app.lifecycle())
        return answer

    async def AppGetOrCreate(self, request, caller):
        if app := self.deployed(request.app_name):
            return api_pb2.AppGetOrCreateResponse(app_id=app.id, handle_metadata=api_pb2.AppHandleMetadata(app_id=app.id))
        raise refuse(Status.NOT_FOUND, f"no app {request.app_name} is deployed")

    async def AppCreate(self, request, caller):
        app = App(new_id("ap"), request.description)
        self.apps[app.id] = app
        return api_pb2.AppCreateResponse(app_id=app.id, app_page_url=f"loopback:{app.id}")

    async def AppGetLayout(self, request, caller):
        return api_pb2.AppGetLayoutResponse(app_layout=self.layout(self.apps[request.app_id]))

    async def AppPublish(self, request, caller):
        app = self.apps[request.app_id]
        app.state, app.deployed = DEPLOYED, app.deployed + 1
        app.functions = {name: self.functions[function_id] for name, function_id in request.function_ids.items()}
        return api_pb2.AppPublishResponse(url=f"loopback:{app.id}", deployed_at=time.time())

    async def AppHeartbeat(self, request, caller):
        return Empty()

    async def AppClientDisconnect(self, request, caller):
        return Empty()

    async def AppList(self, request, caller):
        item = api_pb2.AppListResponse.AppListItem
        apps = [item(app_id=a.id, description=a.name, name=a.name, state=a.state, created_at=a.created) for a in self.apps.values()]
        return api_pb2.AppListResponse(apps=apps)

    async def AppStop(self, request, caller):
        app = self.apps[request.app_id]
        app.state = STOPPED
        self.stopped(app)
        return Empty()

    def layout(self, app):
        """What of an app its containers are told."""
        layout = api_pb2.AppLayout()
        for name, function in app.functions.items():
            layout.function_ids[name] = function.id
            layout.objects.append(api_pb2.Object(object_id=function.id, function_handle_metadata=function.handle))
            for dependency in function.definition.object_dependencies:
                layout.objects.append(api_pb2.Object(object_id=dependency.object_id))
        return layout

    # Functions

    async def FunctionPrecreate(self, request, caller):
        function = Function(request.existing_function_id or new_id("fu"), self.apps[request.app_id], request)
        if known := self.functions.get(function.id):
            function.definition = known.definition
        self.functions[function.id] = function
        return api_pb2.FunctionPrecreateResponse(function_id=function.id, handle_metadata=function.handle)

    async def FunctionCreate(self, request, caller):
        function = self.function(request.existing_function_id)
        function.definition = request.function
        return api_pb2.FunctionCreateResponse(
            function_id=function.id, function=function.definition, handle_metadata=function.handle, function_data=function.data()
        )

    async def FunctionGet(self, request, caller):
        app = self.deployed(request.app_name)
        function = app and app.functions.get(request.object_tag)
        if not function:
            raise refuse(Status.NOT_FOUND, f"no function {request.object_tag} in a deployed app {request.app_name}")
        return api_pb2.FunctionGetResponse(function_id=function.id, handle_metadata=function.handle, function=function.data())

    # What containers are made of

    async def SecretGetOrCreate(self, request, caller):
        secret_id = new_id("st")
        self.secrets[secret_id] = dict(request.env_dict)
        return api_pb2.SecretGetOrCreateResponse(secret_id=secret_id)

    async def MountBatchedCheckExistence(self, request, caller):
        missing = [digest for digest in request.sha256_hex_hashes if digest not in self.files]
        return api_pb2.MountBatchedCheckExistenceResponse(missing_sha256_hex_hashes=missing)

    async def MountPutFile(self, request, caller):
        by_blob = request.WhichOneof("data_oneof") == "data_blob_id"
        self.files[request.sha256_hex] = self.blobs.path(request.data_blob_id) if by_blob else self.blobs.keep(request.data)
        return api_pb2.MountPutFileResponse(exists=True)

    async def MountGetOrCreate(self, request, caller):
        mount_id = new_id("mo")
        self.mounts[mount_id] = list(request.files)
        return api_pb2.MountGetOrCreateResponse(mount_id=mount_id, handle_metadata=api_pb2.MountHandleMetadata())

    async def ImageGetOrCreate(self, request, caller):
        image_id = new_id("im")
        self.images[image_id] = request.image
        return api_pb2.ImageGetOrCreateResponse(image_id=image_id, result=BUILT, metadata=api_pb2.ImageMetadata())

    def environment(self, definition):
        """The variables that a function's secrets hold."""
        return {name: value for secret_id in definition.secret_ids for name, value in self.secrets[secret_id].items()}

    def lay_out(self, definition, folder):
        """Writes what a container of this function finds below / of its image and mounts into `folder`."""
        for mount_id in definition.mount_ids:
            self._copy(mount_id, folder)
        image = self.images.get(definition.image_id)
        while image:
            if image.context_mount_id:
                self._copy(image.context_mount_id, folder, beside=_target(image))
            image = next((self.images[base.image_id] for base in image.base_images if base.image_id), None)

    def _copy(self, mount_id, folder, beside=""):
        for file in self.mounts[mount_id]:
            place = folder / f"{beside}/{file.filename}".lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                os.link(self.files[file.sha256_hex], place)
                place.chmod(file.mode or 0o644)


def _target(image):
    """Where the image's COPY puts its context."""
    copies = [command.split() for command in image.dockerfile_commands if command.startswith("COPY . ")]
    return copies[-1][2].rstrip(".") if copies else ""
