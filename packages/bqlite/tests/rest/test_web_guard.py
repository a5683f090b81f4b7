"""No web page reaches bqlite; programs, and Google's clients, do."""

import http.client
import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

import bqlite

JSON = {"Content-Type": "application/json"}


def drop(dataset):
    return json.dumps({"query": f"DROP TABLE {dataset}.t", "useLegacySql": False})


@pytest.fixture
def queries(bq, client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (a INT64)")
    return f"{bq.rest}/bigquery/v2/projects/local/queries"


def port(bq):
    return int(bq.rest.rpartition(":")[2])


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Host": "evil.example"}, "Host"),
        ({"Host": "evil.example:{port}"}, "Host"),
        ({"Host": "127.0.0.1.evil.example"}, "Host"),
        ({"Host": "127.0.0.1@evil.example"}, "Host"),
        ({"Host": "192.168.0.1"}, "Host"),
        ({"Host": "[::1"}, "Host"),
        ({"Origin": "http://evil.example"}, "Origin"),
        ({"Origin": "http://127.0.0.1:1"}, "Origin"),  # another server of this machine
        ({"Origin": "null"}, "Origin"),
        ({"Origin": "http://["}, "Origin"),
        ({"Origin": "http://127.0.0.1.evil.example"}, "Origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "Sec-Fetch-Site"),
        ({"Sec-Fetch-Site": "same-site"}, "Sec-Fetch-Site"),
        ({"Content-Type": "text/plain"}, "Content-Type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "Content-Type"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "Content-Type"),
        ({"Content-Type": None}, "Content-Type"),
    ],
)
def test_what_only_a_page_of_somebody_else_sends_is_refused_by_its_name(
    bq, client, dataset, queries, headers, named
):
    headers = {
        name: value and value.format(port=port(bq)) for name, value in {**JSON, **headers}.items()
    }
    answer = requests.post(queries, data=drop(dataset).encode(), headers=headers, timeout=30)
    assert answer.status_code == (415 if named == "Content-Type" else 403)
    assert named in answer.json()["error"]["message"]
    assert client.get_table(f"{dataset}.t").num_rows == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:9050"])
def test_this_machine_may_be_called_by_its_own_names_and_by_any_port(queries, host):
    body = {"query": "SELECT 1", "useLegacySql": False}
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    answer = requests.post(queries, json=body, headers=headers, timeout=30)
    assert answer.json()["jobComplete"]


def test_two_host_headers_or_none_are_refused(bq):
    for hosts in ([], ["127.0.0.1", "evil.example"]):
        connection = http.client.HTTPConnection("127.0.0.1", port(bq), timeout=30)
        connection.putrequest("GET", "/bigquery/v2/projects", skip_host=True)
        for host in hosts:
            connection.putheader("Host", host)
        connection.endheaders()
        assert connection.getresponse().status in {400, 403}
        connection.close()


def test_an_answer_names_the_address_that_is_bound_and_never_the_host_asked_for(bq, dataset):
    configuration = {"load": {"destinationTable": {}, "sourceFormat": "CSV"}}
    answer = requests.post(
        f"{bq.rest}/upload/bigquery/v2/projects/local/jobs?uploadType=resumable",
        json={"configuration": configuration},
        headers={"Host": "localhost:1"},
        timeout=30,
    )
    assert answer.headers["Location"].startswith(f"{bq.rest}/upload/")
    found = requests.get(
        f"{bq.rest}/bigquery/v2/projects/local/datasets/{dataset}",
        headers={"Host": "localhost:1"},
        timeout=30,
    )
    assert found.json()["selfLink"].startswith(f"{bq.rest}/bigquery/")


def test_faults_cannot_be_armed_by_a_page(tmp_path):
    with bqlite.serve(tmp_path, faults=True) as bq:
        answer = requests.post(
            f"{bq.rest}/bqlite/faults",
            data=json.dumps({"call": "jobs.query", "effect": "drop", "times": None}),
            headers={"Content-Type": "text/plain"},
            timeout=30,
        )
        assert answer.status_code == 415
        assert requests.get(f"{bq.rest}/bqlite/faults", timeout=30).json() == {"faults": []}


PAGE = """<!doctype html><title>evil</title><iframe name=there></iframe>
<form target=there method=post enctype=text/plain action="{queries}">
<textarea name='{before}'>{after}</textarea></form><pre id=out></pre><script>
const drop = {drop}, out = document.getElementById("out");
async function attempt(what, options) {{
  try {{ const answer = await fetch("{queries}", {{method: "POST", body: drop, ...options}});
         out.append(what + " " + answer.type + " "); }}
  catch (error) {{ out.append(what + " failed "); }}
}}
document.forms[0].submit();
attempt("plain", {{mode: "no-cors", headers: {{"Content-Type": "text/plain"}}}})
  .then(() => attempt("blob", {{mode: "no-cors", body: new Blob([drop])}}))
  .then(() => attempt("json", {{headers: {{"Content-Type": "application/json"}}}}))
  .then(() => {{ document.title = "done"; }});
</script>"""


@pytest.mark.slow  # a browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.timeout(180)  # it takes half a minute to start on a busy machine
def test_a_page_in_a_real_browser_drops_no_table_and_reads_nothing(
    bq, client, dataset, queries, tmp_path
):
    before, after = drop(dataset)[:-1] + ', "x": "', '"}'
    page = PAGE.format(queries=queries, drop=json.dumps(drop(dataset)), before=before, after=after)

    class Evil(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_):
            pass

    def browse(url):
        done = subprocess.run(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=10000",
                "--host-resolver-rules=MAP evil.example 127.0.0.1", url,
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout

    server = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for host in ("127.0.0.1", "evil.example"):
            shown = browse(f"http://{host}:{server.server_port}/")
            assert "plain opaque blob opaque json failed" in shown
            assert client.get_table(f"{dataset}.t").num_rows == 0
    finally:
        server.shutdown()
        server.server_close()
    # A name that its owner points to this machine would make the page bqlite's own.
    listed = f"http://evil.example:{port(bq)}/bigquery/v2/projects"
    assert "evil.example" in (told := browse(listed))
    assert "projectReference" not in told
    assert "projectReference" in browse(f"{bq.rest}/bigquery/v2/projects")
