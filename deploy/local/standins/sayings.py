"""Answers that the vendors' documents print and no request of ours brings about; a fault's ``says`` gives them."""

from collections.abc import Mapping

from deploy.local.standins.wire import Answer

_KAPTURE_ERRORS = (  # the document's "Error Messages", the same for each of its five APIs: the name, and its text
    "AuthKeyInvalid",
    "Please use correct Authkey",
    "ServerFailure",
    "Server error while processing this request",
    "ReqFieldMissing",
    "Mandatory field missing",
    "APIExpired",
    "API Request is Expired",
)

SAYINGS: Mapping[str, Mapping[str, Answer]] = {
    "captorra": {  # the organisation's key as the document prints it, with a small L
        words: Answer({"success": False, "error": words})
        for words in ("Please provide the Captorrald, Name, ID, ANI, Date", "Please check Captorrald.")
    },
    "comunik8": {
        "server error (save)": Answer({"cancelled": False, "warning": "server error (save)"}),
        "Internal Server Error": Answer(b"Internal Server Error", status=500),
    },
    "kapture": {
        **{words: Answer({"Message": words, "Status": "Fail"}) for words in _KAPTURE_ERRORS},
        # As printed: none of the three is JSON.
        "printed add": Answer(b'{ \n"Message": "Customer Added Successfully",\n"Status": "Success"\n};'),
        "printed update": Answer(b'{\n{"message": "Customer Updated Successfully""status": "success"\n}'),
        "printed select": Answer(
            b'{\n"message": [\n{\n"id": 287230,\n"name": "Chandran",\n"contacts": [\n{\n"phone": "999999100"\n}\n]'
            b'\n},\n],\n"status": "success"\n}'
        ),
    },
}
"""By vendor, then by the words, or by a name where the words have others too."""
