"""What a textbook would write: one Celery task a vendor, prefork, a blocking HTTP client, retries by Celery."""

import os

import requests
from celery import Celery

app = Celery("textbook", broker=os.environ["REDIS_URL"])
app.conf.task_ignore_result = True
URL = os.environ["VENDOR_URL"]
_session = requests.Session()


def _post(task, path, body):
    try:
        _session.post(f"{URL}/{path}", json=body, timeout=20).raise_for_status()
    except requests.RequestException as error:
        raise task.retry(exc=error, countdown=5) from error


@app.task(bind=True, acks_late=True, max_retries=5)
def to_captorra(self, call):
    """Deliver to Captorra."""
    _post(
        self,
        "captorra/api/captorracalltracking/create",
        {
            "CaptorraId": "111111", "Name": call["PLA_Dealer_Name"], "ANI": call["PLA_Caller_Phone_Number"],
            "Date": "03/02/2026 11:00 PM", "ID": call["PLA_Call_Id"], "String01": call["PLA_Landing_Page"],
            "String13": call["PLA_CallResult"], "String14": call["PLA_Duration"],
        },
    )  # fmt: skip


@app.task(bind=True, acks_late=True, max_retries=5)
def to_comunik8(self, call):
    """Deliver to Comunik8."""
    body = {"mobile": call["PLA_Caller_Phone_Number"], "first_name": "Caller", "surname": call["PLA_Call_Id"]}
    _post(self, "comunik8/lead/add?key=k", body | {"email": "a@example.com", "type": "motor-trade", "data": str(call)})


@app.task(bind=True, acks_late=True, max_retries=5)
def to_kapture(self, call):
    """Deliver to Kapture."""
    body = {"name": "Caller", "phone": call["PLA_Caller_Phone_Number"], "email": "a@example.com"}
    _post(self, "kapture/add-update-customer-from-other-source.html", body | {"customer_code": call["PLA_Call_Id"]})
