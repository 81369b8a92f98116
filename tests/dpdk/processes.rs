//! Threads, what outlives DPDK, and several processes at once.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Duration;

use gateway::dpdk::{self, Mbuf};
use gateway::driver::Driver;
use gateway::frame::{Pool, PortId};

use crate::{alone, bytes, frame, model, open, pattern, process, receive, runtime_directory};

#[test]
fn workers_on_threads_of_their_own_give_every_buffer_back() {
    alone("processes::workers_on_threads_of_their_own_give_every_buffer_back", || {
        let dpdk = open(&["net_null0", "net_null1"], 2);
        let gauges = dpdk.pools.clone();
        let workers: Vec<_> = dpdk
            .drivers
            .into_iter()
            .map(|mut driver| {
                std::thread::spawn(move || {
                    let _here = driver.register_thread().expect("a number is free");
                    for _ in 0..1000 {
                        let burst = receive(&mut driver);
                        let copies: Vec<Mbuf> = burst.iter().filter_map(|frame| driver.pool().replica(frame)).collect();
                        for mut frames in [burst.into_iter().collect::<Vec<_>>(), copies] {
                            driver.tx(PortId(1), &mut frames);
                            assert!(frames.is_empty());
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("the worker ends well");
        }
        assert!(gauges.iter().all(|gauge| gauge.in_use() == 0 && gauge.size() == 2048));
    });
}

#[test]
fn a_frame_that_outlives_dpdk_can_still_be_read() {
    alone("processes::a_frame_that_outlives_dpdk_can_still_be_read", || {
        let mut dpdk = open(&["net_null0"], 1);
        let kept = frame(&mut dpdk.drivers[0], &pattern(700, 5));
        drop(dpdk);
        assert_eq!(bytes(&kept), pattern(700, 5));
    });
}

/// Not a test of its own: what the next one runs twice at once. Ends with its standard input.
#[test]
fn holder() {
    let Ok(prefix) = std::env::var("CAUSEWAY_DPDK_PREFIX") else { return };
    let mut model = model(&["net_ring0"], 1);
    model.memory.file_prefix = Some(prefix);
    match dpdk::open(&model) {
        Ok(_dpdk) => {
            println!("\nopen");
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        Err(error) => println!("\n{error}"),
    }
}

#[test]
fn two_gateways_run_at_once_with_different_prefixes_and_not_with_one() {
    let hold = |prefix: &str| {
        let mut child = process("processes::holder")
            .env("CAUSEWAY_DPDK_PREFIX", prefix)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the holder runs");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = output.by_ref().lines().map_while(Result::ok);
        let said = lines.find(|line| line == "open" || line.contains("file prefix"));
        // The pipe stays open for what the holder still has to say when it ends.
        child.stdout = Some(output.into_inner());
        (child, said.expect("the holder says how it went"))
    };
    let id = std::process::id();
    let (a, b) = (format!("test-a-{id}"), format!("test-b-{id}"));
    let (first, said) = hold(&a);
    assert_eq!(said, "open");
    let (second, said) = hold(&b);
    assert_eq!(said, "open");
    let (third, said) = hold(&a);
    assert_eq!(
        said,
        format!(
            "another gateway runs with the DPDK file prefix '{a}': stop it, or give this one another memory.file_prefix"
        )
    );
    [first, second, third].into_iter().for_each(end);
    assert!(!runtime_directory(&a).exists() && !runtime_directory(&b).exists());

    // One that was killed leaves its directory, and the next with the prefix takes it.
    let (mut killed, _) = hold(&a);
    killed.kill().expect("it runs");
    killed.wait().expect("it ended");
    let (next, said) = hold(&a);
    assert_eq!(said, "open");
    end(next);
    assert!(!runtime_directory(&a).exists());
}

/// Lets a holder end, and sees that it does.
fn end(mut child: Child) {
    drop(child.stdin.take());
    for _ in 0..100 {
        if child.try_wait().expect("it can be waited for").is_some() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the holder does not end");
}
