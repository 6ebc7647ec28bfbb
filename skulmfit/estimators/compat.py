"""What differs between supported versions of scikit-learn, in one place."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sklearn.base import BaseEstimator

Method = TypeVar("Method", bound=Callable[..., Any])

if TYPE_CHECKING:  # a type checker that does not know scikit-learn would take every `fit` for Any

    class CallbackSupportMixin:
        """Nothing."""

    def with_callbacks(method: Method) -> Method:
        """Leave the type of a method as it is."""
        return method

else:
    try:
        from sklearn.callback import CallbackSupportMixin, with_callbacks
    except ImportError:  # scikit-learn before 1.9

        class CallbackSupportMixin:
            """Nothing."""

        def with_callbacks(method: Method) -> Method:
            """Leave a method as it is."""
            return method


def begin_callbacks(estimator: BaseEstimator) -> Any:
    """The root of a fit's tree of tasks, None where there are no callbacks."""
    begin = getattr(estimator, "_init_callback_context", lambda max_subtasks: None)
    return begin(max_subtasks=None)


__all__ = ["CallbackSupportMixin", "begin_callbacks", "with_callbacks"]
