"""The payment provider, seen from the desk."""

from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict


class Payment(BaseModel):
    """Money that the provider gave back."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The provider's id for it."""
    reference: str
    """What it was for, as the desk calls it."""
    order: str
    cents: int


class PaymentRefused(Exception):
    """The provider said no; nothing was paid, and asking again does not help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"the payment provider refused: {message} (`{code}`)")
        self.code = code


class PaymentUnknown(Exception):
    """The provider did not answer: it may have paid or not. Ask again, with the same key."""


class Payments:
    """A client for the provider; use it as an async context manager."""

    def __init__(self, url: str) -> None:
        """Talk to the provider at `url`, and wait for its answers until somebody stops it."""
        # `trust_env` would send our calls through whatever proxy the machine has.
        self._http = httpx.AsyncClient(base_url=url, timeout=None, trust_env=False)  # noqa: S113 - the contract of the tool that calls it has the deadline

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def refund(self, *, key: str, reference: str, order: str, cents: int) -> Payment:
        """Give money back. The same key never pays twice, however often it is used.

        Raises:
            PaymentRefused: The provider said no.
            PaymentUnknown: There was no answer, or none that says what happened.
        """
        answer = await self._ask(
            "POST",
            "/refunds",
            headers={"Idempotency-Key": key},
            json={"reference": reference, "order": order, "cents": cents},
        )
        if answer.is_client_error:
            problem = answer.json()
            raise PaymentRefused(problem["code"], problem["message"])
        return Payment.model_validate_json(answer.content)

    async def find(self, reference: str) -> list[Payment]:
        """Return what was paid under a reference.

        Raises:
            PaymentUnknown: There was no answer.
        """
        answer = await self._ask("GET", f"/refunds?reference={quote(reference, safe='')}")
        return [Payment.model_validate(each) for each in answer.json()]

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        json: dict[str, str | int] | None = None,
    ) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, headers=headers, json=json)
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise PaymentUnknown(f"{method} {path} had no answer: {reason}") from error
        if answer.is_server_error:
            raise PaymentUnknown(f"{method} {path} was answered with {answer.status_code}")
        return answer
