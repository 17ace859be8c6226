"""What errors of boto3 mean here. No message repeats a key: what AWS says of a bad signature quotes the request."""

from __future__ import annotations

from typing import Any

from qtasks.backends.protocol import BackendError, CredentialsRefused, ProviderUnavailable, Throttled
from qtasks.errors import QTasksError

_CREDENTIALS = frozenset((
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignature",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
))  # fmt: skip
_DENIED = frozenset(("AccessDenied", "AccessDeniedException", "AllAccessDisabled", "OptInRequired"))
_THROTTLED = frozenset((
    "ServiceQuotaExceededException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
))  # fmt: skip
_NO_CREDENTIALS = frozenset((
    "CredentialRetrievalError",
    "NoAuthTokenError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "RefreshWithMFAUnsupportedError",
    "SSOTokenLoadError",
    "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
))  # fmt: skip
_MISCONFIGURED = frozenset(
    ("InvalidConfigError", "InvalidEndpointConfigurationError", "ParamValidationError", "ValueError")
)


def code_of(error: Exception) -> str:
    """AWS's code of an error, or the name of boto3's own."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def refuses_credentials(error: Exception) -> bool:
    """Whether other credentials may help."""
    code = code_of(error)
    return code in _CREDENTIALS or code in _NO_CREDENTIALS


def meaning(error: Exception, doing: str, account: str, device: str | None) -> QTasksError:
    """The error to raise. `doing` ends the sentence "Amazon Braket could not …"; `device` is the one it concerns."""
    code = code_of(error)
    response: dict[str, Any] = getattr(error, "response", None) or {}
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = str(response.get("Error", {}).get("Message", "")).strip().rstrip(".")
    if code in _NO_CREDENTIALS:
        return CredentialsRefused(f"boto3 finds no credentials for account {account} ({code}).")
    if code in _CREDENTIALS:
        return CredentialsRefused(f"AWS does not take the credentials of account {account} ({code}).")
    if code in _DENIED:
        return _denied(doing, account, device)
    if code in _THROTTLED or status == 429:
        return Throttled(f"AWS asks for patience ({code}): {said}.", retry_after=_retry_after(response))
    if device is not None and (code == "ConflictException" or (code == "ValidationException" and "token" in said)):
        return ProviderUnavailable(
            "Amazon Braket has a task of this tag already, made of another circuit.",
            reason="SubmittedBefore",
            hint="The task is looked up and adopted.",
        )
    if code == "DeviceOfflineException":
        return BackendError(
            f"{device} is offline.", reason="DeviceOffline", heals=True, hint="Wait, or choose another device."
        )
    if code == "DeviceRetiredException":
        return BackendError(f"{device} is retired.", reason="DeviceRetired", hint="Choose another device.")
    if code == "ResourceNotFoundException" and device is not None:
        return BackendError(
            f"Amazon Braket does not know {device}.", reason="NoSuchDevice", hint="See `qtasks get backends`."
        )
    if code in _MISCONFIGURED:
        return BackendError(
            f"boto3 refuses to {doing} ({code}).",
            reason="ProviderMisconfigured",
            hint=f"Check endpoint, region and bucket of account {account}.",
        )
    if not response or status >= 500 or status == 408:
        return ProviderUnavailable(f"AWS did not {doing} ({code}{f', HTTP {status}' if status else ''}).")
    return BackendError(
        f"AWS refused to {doing} ({code}): {said}.",
        reason="ProviderRefused",
        hint="Correct what it complains of.",
        details={"code": code},
    )


def _denied(doing: str, account: str, device: str | None) -> QTasksError:
    if device is not None:
        return BackendError(
            f"AWS does not allow account {account} to {doing}.",
            reason="ProviderForbidden",
            hint="Grant it the right in IAM, and accept the terms of third parties in the Braket console.",
        )
    return CredentialsRefused(
        f"AWS does not allow account {account} to {doing}.", hint="Grant it the right in IAM; its jobs are kept."
    )


def _retry_after(response: dict[str, Any]) -> float | None:
    value = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        return None
