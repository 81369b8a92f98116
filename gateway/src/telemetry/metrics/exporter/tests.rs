use super::*;

fn open(source: impl Fn() -> Result<Measures, String> + Send + Sync + 'static) -> (Exporter, SocketAddr) {
    let mut exporter = Exporter::new(source);
    exporter.listen(Some("127.0.0.1:0".parse().expect("an address")));
    let door = exporter.door.as_ref().expect("an open door");
    let at = door.listener.local_addr().expect("an address");
    (exporter, at)
}

fn connect(at: SocketAddr) -> TcpStream {
    TcpStream::connect(at).expect("let in")
}

fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn raw(at: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(at);
    let _ = stream.write_all(request);
    rest(stream)
}

#[test]
fn the_page_comes_in_the_format_that_is_asked_for() {
    let (_exporter, at) = open(|| Ok(Measures::default()));
    let plain = raw(at, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(plain.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4;"), "{plain}");
    assert!(plain.contains("# TYPE causeway_build_info gauge\n") && !plain.contains("# EOF"));
    let open = raw(at, b"GET /metrics?x=1 HTTP/1.1\r\naccept: application/openmetrics-text;version=1.0.0,*/*\r\n\r\n");
    assert!(open.contains("Content-Type: application/openmetrics-text; version=1.0.0;"), "{open}");
    assert!(open.contains("# TYPE causeway_build info\n") && open.ends_with("# EOF\n"));
    let head = raw(at, b"HEAD /metrics HTTP/1.1\r\n\r\n");
    let length = |answer: &str| {
        let line = answer.lines().find(|line| line.starts_with("Content-Length: ")).expect("a length").to_owned();
        line.split(' ').next_back().expect("a number").parse::<usize>().expect("a number")
    };
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(length(&head), plain.split_once("\r\n\r\n").expect("a body").1.len());
}

#[test]
fn other_requests_are_refused_in_words() {
    let (_exporter, at) = open(|| Err("the gateway is stopping".into()));
    for (request, status, word) in [
        ("GET /metrics HTTP/1.1\r\n\r\n", "503 Service Unavailable", "stopping"),
        ("GET / HTTP/1.0\r\n\r\n", "200 OK", "/metrics"),
        ("GET /secrets HTTP/1.1\r\n\r\n", "404 Not Found", "/metrics"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed", "Allow: GET, HEAD"),
        ("GET /metrics\r\n\r\n", "400 Bad Request", "not HTTP"),
        ("GET /metrics HTTP/2\r\n\r\n", "400 Bad Request", "not HTTP"),
        ("\u{1}\u{2}\r\n\r\n", "400 Bad Request", "not HTTP"),
    ] {
        let answer = raw(at, request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")) && answer.contains(word), "{request}: {answer}");
    }
    assert!(raw(at, &vec![b'x'; LONGEST + 1025]).starts_with("HTTP/1.1 431 "));
}

#[test]
fn too_many_clients_are_sent_away_and_room_is_made_when_they_go() {
    let (_exporter, at) = open(|| Ok(Measures::default()));
    let crowd: Vec<_> = (0..CLIENTS).map(|_| connect(at)).collect();
    assert!(rest(connect(at)).starts_with("HTTP/1.1 503 "), "they all sit and say nothing");
    drop(crowd);
    let freed = (0..1000).any(|_| raw(at, b"GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
    assert!(freed);
}

#[test]
fn a_client_that_takes_its_time_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let _slow = connect(listener.local_addr().expect("an address"));
    let (served, _) = listener.accept().expect("a client");
    let soon = Instant::now() + Duration::from_millis(50);
    let error = read(&served, soon).expect_err("it says nothing");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    let big = Answer::text("200 OK", "x".repeat(64 << 20));
    let error = big.send(&served, soon + Duration::from_millis(50), false).expect_err("it takes nothing");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn the_page_moves_and_comes_when_its_address_does() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address");
    let (mut exporter, first) = open(|| Ok(Measures::default()));
    exporter.listen(Some(at));
    assert!(exporter.door.is_none(), "somebody has it");
    let problem = exporter.problem().expect("it is told");
    assert_eq!((problem.subject.as_str(), problem.name), ("metrics", at.to_string()));
    assert!(problem.problem.contains("in use") && problem.cure.starts_with("stop who has it"), "{}", problem.cure);
    assert!(TcpStream::connect(first).is_err(), "the page has left");
    drop(taken);
    exporter.retry();
    assert_eq!(exporter.problem(), None);
    assert!(raw(at, b"GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
    exporter.listen(None);
    assert!(TcpStream::connect(at).is_err());
}
