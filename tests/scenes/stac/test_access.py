"""Addresses of files, and the signatures of the Planetary Computer."""

from __future__ import annotations

import pytest
from planetary_computer import sas, settings
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from servers import serving
from strandline.errors import UnreachableSourceError
from strandline.scenes.stac.access import best_address, signed

BLOB = "https://landsateuwest.blob.core.windows.net/landsat-c2/B4.TIF"


@pytest.fixture
def signing(monkeypatch):
    """The service that signs, on loopback; a list of what it answers besides tokens."""
    faults: list[int] = []
    asked: list[str] = []

    def token(request):
        asked.append(request.url.path)
        if faults:
            return Response("no", status_code=faults.pop(0))
        return JSONResponse({"msft:expiry": "2099-01-01T00:00:00Z", "token": "se=2099&sig=S"})

    app = Starlette(routes=[Route("/token/{account}/{container}", token)])
    with serving(app) as url:
        monkeypatch.setenv("PC_SDK_SAS_URL", f"{url}/token")
        settings.Settings.get.cache_clear()
        sas.TOKEN_CACHE.clear()
        yield faults, asked
    settings.Settings.get.cache_clear()
    sas.TOKEN_CACHE.clear()


def test_files_of_the_planetary_computer_are_signed_and_others_are_not(signing):
    _, asked = signing
    assert signed(BLOB) == f"{BLOB}?se=2099&sig=S"
    assert signed(BLOB.replace("B4", "B5")).endswith("B5.TIF?se=2099&sig=S")
    assert asked == ["/token/landsateuwest/landsat-c2"]  # one token for a container
    for other in ("https://a.example/B4.TIF", "s3://bucket/B4.TIF", "/data/B4.TIF"):
        assert signed(other) == other


def test_a_service_that_gives_no_signature_is_an_error_of_ours(signing):
    faults, _ = signing
    faults += [403] * 9
    with pytest.raises(UnreachableSourceError, match=r"no signature.*landsat-c2/B4"):
        signed(BLOB)


def test_the_store_that_the_caller_has_access_to_is_taken():
    web, store = "https://landsatlook.usgs.gov/B4.TIF", "s3://usgs-landsat/B4.TIF"
    assert best_address(web, (store,), None) == web
    assert best_address(web, (store,), {"GDAL_HTTP_TIMEOUT": "3"}) == web
    assert best_address(web, (store,), {"requester_pays": True}) == store
    assert best_address(web, (), {"requester_pays": True}) == web
    assert best_address(store, (web,), None) == store
