"""Blobs of the plane: content by id on disk, uploaded and downloaded over HTTP, as Modal's are through object storage."""

import hashlib
import pathlib

from aiohttp import web
from modal_proto import api_pb2
from servers.modal.wire import new_id


class Blobs:
    """The blobs and their RPCs."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.base = ""

    def path(self, blob_id):
        """Where a blob's content is, or would be."""
        return self.folder / blob_id

    def keep(self, content):
        """Stores content that came by itself; returns its path."""
        path = self.path(new_id("bl"))
        path.write_bytes(content)
        return path

    async def BlobCreate(self, request, caller):
        blob_id = new_id("bl")
        urls = api_pb2.UploadUrlList(items=[f"{self.base}/blobs/{blob_id}"])
        return api_pb2.BlobCreateResponse(blob_id=blob_id, blob_ids=[blob_id], upload_urls=urls)

    async def BlobGet(self, request, caller):
        return api_pb2.BlobGetResponse(download_url=f"{self.base}/blobs/{request.blob_id}")

    def routes(self):
        """The HTTP side."""
        return [web.put("/blobs/{id}", self.upload), web.get("/blobs/{id}", self.download)]

    async def upload(self, request):
        path, digest = self.path(request.match_info["id"]), hashlib.md5()
        with path.open("wb") as file:
            async for part in request.content.iter_chunked(1 << 20):
                digest.update(part)
                file.write(part)
        return web.Response(headers={"ETag": f'"{digest.hexdigest()}"'})

    async def download(self, request):
        path = self.path(request.match_info["id"])
        return web.FileResponse(path) if path.is_file() else web.Response(status=404, text="no such blob")
