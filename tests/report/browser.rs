//! A real browser, driven through ChromeDriver's HTTP (the WebDriver protocol).
//!
//! Needs Debian's `chromium` and `chromium-driver`, or another ChromeDriver in TAGFALL_CHROMEDRIVER. If that
//! is set, a browser that does not start is a failure; otherwise the tests say that they are skipped.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Without the last ones a browser makes requests as soon as it starts.
const ARGUMENTS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// `None`, with a message, if there is no ChromeDriver.
    pub fn start(test: &str) -> Option<Self> {
        Self::start_in(test, false)
    }

    /// The same, with a dark colour scheme if requested.
    pub fn start_in(test: &str, dark: bool) -> Option<Self> {
        let named = std::env::var("TAGFALL_CHROMEDRIVER").ok();
        let program = named.clone().unwrap_or_else(|| "chromedriver".to_owned());
        let spawned =
            Command::new(&program).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = match spawned {
            Ok(driver) => driver,
            Err(error) if named.is_some() => panic!("{program}: {error}"),
            Err(error) => {
                eprintln!(
                    "SKIPPED: {test}: {program}: {error} (Debian: apt-get install chromium chromium-driver)"
                );
                return None;
            }
        };
        let port =
            BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap).find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            });
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self {
            driver,
            port: port.expect("ChromeDriver names its port"),
            session: String::new(),
            _profile: profile,
        };
        let profile = format!("--user-data-dir={}", browser._profile.path().display());
        let scheme = dark.then_some("--blink-settings=preferredColorScheme=0");
        let arguments: Vec<&str> =
            ARGUMENTS.iter().copied().chain([profile.as_str()]).chain(scheme).collect();
        let wanted = json!({"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}});
        let session = browser.call("POST", "", &json!({"capabilities": {"alwaysMatch": wanted}}));
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    pub fn open(&self, page: &Path) {
        self.call("POST", "/url", &json!({"url": format!("file://{}", page.display())}));
    }

    /// The result of a script that is run from outside, which the page's policy does not affect.
    pub fn ask(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({"script": format!("return {script}"), "args": []}))
    }

    pub fn click(&self, selector: &str) {
        let found = self.call("POST", "/element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        self.call("POST", &format!("/element/{id}/click"), &json!({}));
    }

    pub fn narrow_to(&self, width: u32) {
        self.call("POST", "/window/rect", &json!({"width": width, "height": 900}));
    }

    /// The browser's error messages since the last call.
    pub fn complaints(&self) -> Vec<String> {
        let said = self.call("POST", "/se/log", &json!({"type": "browser"}));
        said.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Every address that `page` has requested since the last call, beginning with its own.
    pub fn requests(&self, page: &Path) -> Vec<String> {
        let page = format!("file://{}", page.display());
        let said = self.call("POST", "/se/log", &json!({"type": "performance"}));
        let messages = said
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| serde_json::from_str::<Value>(entry["message"].as_str().unwrap()).unwrap());
        let sent = messages
            .map(|entry| entry["message"].clone())
            .filter(|message| message["method"] == "Network.requestWillBeSent");
        let sent = sent.filter(|message| message["params"]["documentURL"] == page.as_str());
        sent.map(|message| message["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// Sends one command; returns the value of the answer. An error fails the test.
    fn call(&self, method: &str, command: &str, body: &Value) -> Value {
        let path = if self.session.is_empty() {
            "/session".to_owned()
        } else {
            format!("/session/{}{command}", self.session)
        };
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n",
            self.port
        );
        write!(stream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
        let (status, answer) = answer(&mut BufReader::new(stream));
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(status.contains(" 200 "), "{path}: {answer}");
        answer["value"].clone()
    }
}

/// Status line and body of an answer with a `Content-Length`.
fn answer(stream: &mut impl BufRead) -> (String, Vec<u8>) {
    let mut status = String::new();
    stream.read_line(&mut status).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap()
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (status, body)
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A failed test must not leave a browser running.
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call("DELETE", "", &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
