//! A small HTTP server that answers as mirrors do, well and badly.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What a path is answered with; any other path gets 404.
#[derive(Clone)]
pub enum Answer {
    /// The bytes, with their length.
    Whole(Vec<u8>),
    /// A length, then fewer bytes, then the end of the connection.
    Cut { promised: usize, sent: Vec<u8> },
    /// No length and no end.
    Endless,
    /// Another page in the place of the file, as captive portals do.
    Moved(String),
}

/// Serves on a port of its own until it is dropped.
pub struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        let answers: HashMap<String, Answer> =
            answers.into_iter().map(|(name, answer)| (format!("/mnist/{name}"), answer)).collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (asked, stop) = (Arc::clone(&asked), Arc::clone(&stop));
            move || {
                for stream in listener.incoming().flatten() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    // A client that hangs up early is part of the tests.
                    let _ = serve(stream, &answers, &asked, &stop);
                }
            }
        });
        Self { address, asked, stop, thread: Some(thread) }
    }

    pub fn mirror(&self) -> String {
        format!("http://{}/mnist/", self.address)
    }

    /// Which files were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panics while it holds this").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The thread waits for a connection: this is one.
        let _ = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    mut stream: TcpStream,
    answers: &HashMap<String, Answer>,
    asked: &Mutex<Vec<String>>,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    asked.lock().expect("no test panics while it holds this").push(name.to_owned());
    let head = |status: &str, more: String| {
        format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n")
    };
    match answers.get(path) {
        None => stream.write_all(head("404 Not Found", "Content-Length: 0\r\n".into()).as_bytes()),
        Some(Answer::Whole(bytes)) => {
            let length = format!("Content-Length: {}\r\n", bytes.len());
            stream.write_all(head("200 OK", length).as_bytes())?;
            stream.write_all(bytes)
        }
        Some(Answer::Cut { promised, sent }) => {
            let length = format!("Content-Length: {promised}\r\n");
            stream.write_all(head("200 OK", length).as_bytes())?;
            stream.write_all(sent)
        }
        Some(Answer::Endless) => {
            stream.write_all(head("200 OK", String::new()).as_bytes())?;
            while !stop.load(Ordering::SeqCst) {
                stream.write_all(&[7; 4096])?;
            }
            Ok(())
        }
        Some(Answer::Moved(to)) => {
            let more = format!("Location: {to}\r\nContent-Length: 0\r\n");
            stream.write_all(head("302 Found", more).as_bytes())
        }
    }
}
