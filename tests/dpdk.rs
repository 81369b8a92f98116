//! The DPDK driver on virtual devices: no NIC, no huge pages.
//!
//! DPDK starts once in a process, so each test runs itself again as a process of its own.
#![cfg(feature = "dpdk")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use config::types::{Api, Controllers, HugePages, Idle, Memory, Model, Port, Reload, State, Vtep, Workers};
use gateway::dpdk::{self, Dpdk, DpdkDriver, Error, Mbuf};
use gateway::driver::{BURST, Burst, Driver};
use gateway::frame::{Frame, Pool, PortId, TxOffload};

/// Says to a process which test it is to run.
const CASE: &str = "CAUSEWAY_DPDK_CASE";

/// The command that runs test `name` in a process of its own.
fn process(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a running program has a path"));
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CASE, name);
    command
}

/// Runs `body` in a process of its own, and sees that DPDK leaves nothing behind.
fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var(CASE).is_ok_and(|case| case == name) {
        body();
        assert!(!runtime_directory(&format!("causeway-{}", std::process::id())).exists(), "DPDK left its directory");
        return;
    }
    let output = process(name).output().expect("the test runs again");
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn runtime_directory(prefix: &str) -> PathBuf {
    Path::new("/var/run/dpdk").join(prefix)
}

/// A model with these devices and so many workers.
fn model(devices: &[&str], workers: u16) -> Model {
    let port = |(index, device): (usize, &&str)| Port {
        name: format!("p{index}"),
        device: (*device).to_owned(),
        mtu: 1500,
        rx_queues: None,
        descriptors: (512, 512),
        offload: true,
        mac_limit: None,
        underlay: None,
        attachments: Vec::new(),
        access_list: None,
    };
    Model {
        workers: Workers { cores: (0..workers).collect(), idle: Idle::Spin, burst: 32, flood_copies: 1024 },
        memory: Memory {
            huge_pages: HugePages::Off,
            buffers: 2048,
            buffer_size: 2048,
            file_prefix: None,
            shared: false,
        },
        vtep: Vtep {
            source_v4: None,
            source_v6: None,
            vxlan_port: 4789,
            geneve_port: 6081,
            source_ports: (49152, 65535),
            namespace: None,
            learned_vteps: 0,
            host_rate: 0,
        },
        api: Api::default(),
        reload: Reload::default(),
        state: State::default(),
        fdb_size: 1024,
        ports: devices.iter().enumerate().map(port).collect(),
        segments: Vec::new(),
        access_lists: Vec::new(),
        control: Controllers::default(),
        metrics: config::types::Metrics::default(),
    }
}

fn open(devices: &[&str], workers: u16) -> Dpdk {
    dpdk::open(&model(devices, workers)).unwrap_or_else(|error| panic!("{error}"))
}

/// `len` bytes that are different everywhere.
fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|index| (index as u8).wrapping_mul(31).wrapping_add((index >> 8) as u8).wrapping_add(seed)).collect()
}

fn bytes(frame: &Mbuf) -> Vec<u8> {
    let mut all = frame.head().to_vec();
    frame.for_each_tail(|tail| all.extend_from_slice(tail));
    assert_eq!(all.len(), frame.len(), "the pieces add up to the frame");
    all
}

fn frame(driver: &mut DpdkDriver, bytes: &[u8]) -> Mbuf {
    driver.pool().frame(bytes).expect("the pool has a buffer")
}

fn receive(driver: &mut DpdkDriver) -> Burst<Mbuf> {
    let mut burst = Burst::new();
    for queue in 0..driver.rx_queues() {
        driver.rx(queue, BURST, &mut burst);
    }
    burst
}

const P0: PortId = PortId(0);

#[test]
fn frames_come_back_through_a_ring_byte_for_byte() {
    alone("frames_come_back_through_a_ring_byte_for_byte", || {
        let mut dpdk = open(&["net_ring0"], 1);
        let driver = &mut dpdk.drivers[0];
        let sent: Vec<Vec<u8>> = [60, 64, 590, 1514, 2000].iter().map(|&len| pattern(len, len as u8)).collect();
        let mut frames: Vec<Mbuf> = sent.iter().map(|bytes| frame(driver, bytes)).collect();
        assert_eq!(driver.tx(P0, &mut frames), sent.iter().map(|bytes| bytes.len() as u64).sum::<u64>());
        assert!(frames.is_empty());

        let got = receive(driver);
        assert_eq!(got.iter().map(bytes).collect::<Vec<_>>(), sent);
        assert!(got.iter().all(|frame| frame.meta().port == P0));
        assert_eq!(dpdk.ports[0].stats().rx_frames, 5);
    });
}

#[test]
fn frames_of_several_pieces_pass_a_ring_whole() {
    alone("frames_of_several_pieces_pass_a_ring_whole", || {
        let mut dpdk = open(&["net_ring0"], 1);
        let driver = &mut dpdk.drivers[0];
        let sent = pattern(1800, 3);
        let original = frame(driver, &sent);
        let mut frames = vec![driver.pool().replica(&original).expect("a buffer")];
        assert_eq!(frames[0].pieces(), 2);
        assert_eq!(driver.tx(P0, &mut frames), 1800);
        drop(original);
        assert_eq!(bytes(&receive(driver)[0]), sent);
        assert_eq!(dpdk.pools[0].in_use(), 0);
    });
}

#[test]
fn a_null_device_gives_frames_and_takes_them() {
    alone("a_null_device_gives_frames_and_takes_them", || {
        let mut dpdk = open(&["net_null0,size=90", "net_null1"], 2);
        let _here = dpdk.drivers[0].register_thread().expect("a number is free");
        for driver in &mut dpdk.drivers {
            assert_eq!(driver.queues().collect::<Vec<_>>().len(), 2, "one queue of each port for each worker");
            let mut burst = Burst::new();
            driver.rx(0, BURST, &mut burst);
            assert_eq!(burst.len(), BURST);
            assert!(burst.iter().all(|frame| frame.len() == 90 && frame.meta().port == P0));
            let mut frames: Vec<Mbuf> = burst.into_iter().collect();
            assert_eq!(driver.tx(PortId(1), &mut frames), 90 * BURST as u64);
        }
        assert!(dpdk.ports.iter().all(|port| port.info().driver == "net_null"));
        assert_eq!(dpdk.eal.buffers_in_use(), 0);
    });
}

#[test]
fn a_pcap_file_goes_in_and_comes_out_the_same() {
    alone("a_pcap_file_goes_in_and_comes_out_the_same", || {
        let scratch = Scratch::new("pcap");
        let frames = [pattern(60, 1), pattern(1514, 2), pattern(342, 3)];
        let (from, to) = (scratch.write("in.pcap", &pcap(&frames)), scratch.path("out.pcap"));
        let device = format!("net_pcap0,rx_pcap={from},tx_pcap={to}");
        let mut dpdk = open(&[&device], 1);
        let driver = &mut dpdk.drivers[0];
        let mut got: Vec<Mbuf> = receive(driver).into_iter().collect();
        assert_eq!(got.iter().map(bytes).collect::<Vec<_>>(), frames);
        driver.tx(P0, &mut got);
        drop(got);
        drop(dpdk);
        assert_eq!(unpcap(&std::fs::read(&to).expect("the output file")), frames);
    });
}

/// A directory that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("causeway-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a scratch directory");
        Self(directory)
    }

    fn path(&self, file: &str) -> String {
        self.0.join(file).display().to_string()
    }

    fn write(&self, file: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(file), bytes).expect("the scratch file");
        self.path(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A capture file (little-endian, microseconds, Ethernet).
fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1] {
        file.extend(word.to_le_bytes());
    }
    for frame in frames {
        for word in [0, 0, frame.len() as u32, frame.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

fn unpcap(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    file = &file[24..];
    while file.len() >= 16 {
        let len = u32::from_le_bytes(file[8..12].try_into().expect("four bytes")) as usize;
        frames.push(file[16..16 + len].to_vec());
        file = &file[16 + len..];
    }
    frames
}

#[test]
fn frames_accepted_by_tx_are_not_freed_again() {
    alone("frames_accepted_by_tx_are_not_freed_again", || {
        let mut dpdk = open(&["net_null0", "net_ring0"], 1);
        let gauge = dpdk.pools[0].clone();
        let driver = &mut dpdk.drivers[0];
        assert_eq!(gauge.in_use(), 0);
        for _ in 0..100 {
            let mut frames: Vec<Mbuf> = (0..200).map(|seed| frame(driver, &pattern(100, seed))).collect();
            assert_eq!(gauge.in_use(), 200);
            assert_eq!(driver.tx(P0, &mut frames), 200 * 100);
            assert!(frames.is_empty());
            assert_eq!(gauge.in_use(), 0, "the device gave all of them back, once");
        }

        // A ring takes 1,023 and refuses the rest, which stays in order.
        let mut frames: Vec<Mbuf> = (0..1100_u32).map(|n| frame(driver, &n.to_be_bytes())).collect();
        assert_eq!(driver.tx(PortId(1), &mut frames), 4 * 1023);
        let left: Vec<Vec<u8>> = frames.iter().map(bytes).collect();
        assert_eq!(left, (1023..1100_u32).map(|n| n.to_be_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(gauge.in_use(), 1100);
        drop(frames);
        assert_eq!(gauge.in_use(), 1023, "those in the ring are the ring's");
        drop(receive_all(driver));
        assert_eq!(gauge.in_use(), 0);
    });
}

fn receive_all(driver: &mut DpdkDriver) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut burst = Burst::new();
        driver.rx(1, BURST, &mut burst);
        if burst.is_empty() {
            return all;
        }
        all.extend(burst.iter().map(bytes));
    }
}

#[test]
fn an_empty_pool_gives_nothing_and_loses_nothing() {
    alone("an_empty_pool_gives_nothing_and_loses_nothing", || {
        let mut dpdk = open(&["net_null0"], 1);
        let pool = dpdk.drivers[0].pool();
        let mut large = pool.frame(&pattern(1800, 0)).expect("a buffer");
        let mut held: Vec<Mbuf> = std::iter::from_fn(|| pool.frame(&[0; 60])).collect();
        assert_eq!(held.len(), 2047);
        assert!(pool.replica(&large).is_none());
        assert!(large.grow_front(1000).is_none());
        assert_eq!(bytes(&large), pattern(1800, 0), "nothing changed");
        held.pop();
        assert!(pool.replica(&large).is_none(), "one buffer is not enough for a head and a clone");
        assert_eq!(pool.in_use(), 2047);
        held.pop();
        assert!(pool.replica(&large).is_some());
        drop((held, large));
        assert_eq!(pool.in_use(), 0);
    });
}

/// Devices that transmit one piece only get one piece, with the offloads that were asked for.
#[test]
fn frames_of_several_pieces_become_one_piece_each() {
    alone("frames_of_several_pieces_become_one_piece_each", || {
        let mut dpdk = open(&["net_ring0"], 1);
        let driver = &mut dpdk.drivers[0];
        let sent: Vec<Vec<u8>> = [60, 1000, 1800, 600, 2000].iter().map(|&len| pattern(len, len as u8)).collect();
        let originals: Vec<Mbuf> = sent.iter().map(|bytes| frame(driver, bytes)).collect();
        let pool = driver.pool();
        let mut frames: Vec<Mbuf> = originals.iter().map(|one| pool.replica(one).expect("a buffer")).collect();
        frames[1].set_offload(TxOffload { ipv4_checksum_at: 14, insert: None });
        assert_eq!(frames.iter().map(Mbuf::pieces).collect::<Vec<_>>(), [1, 2, 2, 2, 2]);
        let before = pool.in_use();
        assert_eq!(pool.flatten(&mut frames), 5);
        assert!(frames.iter().all(|frame| frame.pieces() == 1));
        assert_eq!(frames.iter().map(bytes).collect::<Vec<_>>(), sent);
        assert_eq!(pool.in_use(), before - 4, "a buffer each in place of two");
        drop(originals);
        assert_eq!(driver.tx(P0, &mut frames), sent.iter().map(|bytes| bytes.len() as u64).sum::<u64>());
        assert_eq!(receive(driver).iter().map(bytes).collect::<Vec<_>>(), sent);

        // Without a buffer the frames from the first of several pieces on wait as they are; one is enough to go on.
        let pool = driver.pool();
        let originals: Vec<Mbuf> =
            [0, 2, 4].iter().map(|&at: &usize| pool.frame(&sent[at]).expect("a buffer")).collect();
        let mut frames: Vec<Mbuf> = originals.iter().map(|one| pool.replica(one).expect("a buffer")).collect();
        drop(originals);
        let mut held: Vec<Mbuf> = std::iter::from_fn(|| pool.frame(&[0; 60])).collect();
        assert_eq!(pool.flatten(&mut frames), 1);
        assert_eq!(frames.iter().map(Mbuf::pieces).collect::<Vec<_>>(), [1, 2, 2]);
        held.pop();
        assert_eq!(pool.flatten(&mut frames), 3);
        assert_eq!(frames.iter().map(bytes).collect::<Vec<_>>(), [0, 2, 4].map(|at: usize| sent[at].clone()));
        drop((held, frames));
        assert_eq!(driver.pool().in_use(), 0);
    });
}

#[test]
fn a_replica_is_equal_and_independent() {
    alone("a_replica_is_equal_and_independent", || {
        let mut dpdk = open(&["net_null0"], 1);
        let pool = dpdk.drivers[0].pool();
        for len in [0, 1, 60, 127, 128, 129, 512, 513, 1000, 2000] {
            let sent = pattern(len, 7);
            let mut original = pool.frame(&sent).expect("a buffer");
            let mut replica = pool.replica(&original).expect("a buffer");
            assert_eq!(bytes(&replica), sent, "{len} bytes");
            assert!(replica.headroom() >= 326, "room for the longest outer header");
            assert!(replica.head().len() >= len.min(128));

            // Each has its first 128 bytes to itself.
            let own = len.min(128);
            replica.head_mut()[..own].fill(0xaa);
            original.head_mut()[..own].fill(0xbb);
            assert!(original.head()[..own].iter().all(|&byte| byte == 0xbb));
            assert!(replica.head()[..own].iter().all(|&byte| byte == 0xaa));
            assert_eq!(bytes(&replica)[own..], sent[own..]);
            assert_eq!(bytes(&original)[own..], sent[own..]);

            // What both can see, neither can write; once the replica is gone the original is its own again.
            if len > 512 {
                assert_eq!(original.head_mut().len(), 128);
                original.trim_front(14);
                assert_eq!(original.head_mut().len(), 114);
                assert_eq!(original.grow_front(50).expect("headroom").len(), 164);
                drop(replica);
                assert_eq!(original.head_mut().len(), len + 36);
            }
        }
        assert_eq!(pool.in_use(), 0);
    });
}

#[test]
fn replicas_of_replicas_and_of_pieces_are_equal() {
    alone("replicas_of_replicas_and_of_pieces_are_equal", || {
        let mut dpdk = open(&["net_null0"], 1);
        let pool = dpdk.drivers[0].pool();
        let sent = pattern(1900, 9);
        let first = pool.frame(&sent).expect("a buffer");
        let second = pool.replica(&first).expect("a buffer");
        let mut third = pool.replica(&second).expect("a buffer");
        third.grow_front(400).expect("a buffer").fill(0x55);
        let head = third.head().len();
        assert!(head >= 400 + 128, "the headers behind the new bytes are in the head");
        let fourth = pool.replica(&third).expect("a buffer");
        assert_eq!(bytes(&fourth), bytes(&third));
        drop((first, second));
        assert_eq!(bytes(&third)[head..], sent[head - 400..]);
        drop(third);
        assert_eq!(bytes(&fourth)[head..], sent[head - 400..]);
        drop(fourth);
        assert_eq!(pool.in_use(), 0);
    });
}

#[test]
fn growing_past_the_headroom_takes_another_buffer() {
    alone("growing_past_the_headroom_takes_another_buffer", || {
        let mut dpdk = open(&["net_null0,size=1500"], 1);
        let driver = &mut dpdk.drivers[0];
        // As a NIC leaves them: 128 bytes in front, less than Geneve with all its options over IPv6 needs.
        let mut burst = Burst::new();
        driver.rx(0, 4, &mut burst);
        for mut frame in burst {
            assert_eq!(frame.headroom(), 128);
            let before = bytes(&frame);
            let head = frame.grow_front(326).expect("a buffer");
            head[..326].copy_from_slice(&pattern(326, 1));
            assert!(frame.head().len() >= 326 + 128);
            assert_eq!(bytes(&frame)[..326], pattern(326, 1));
            assert_eq!(bytes(&frame)[326..], before);
            assert_eq!(frame.pieces(), 2);
            assert_eq!(frame.meta().port, P0);
        }
        assert_eq!(driver.pool().in_use(), 0);
    });
}

#[test]
fn growing_trimming_and_cutting_do_what_a_vector_does() {
    alone("growing_trimming_and_cutting_do_what_a_vector_does", || {
        let mut dpdk = open(&["net_null0"], 1);
        let pool = dpdk.drivers[0].pool();
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |limit: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % limit as u64) as usize
        };
        for round in 0..300 {
            let mut expected = pattern(below(2000), round as u8);
            let mut frame = pool.frame(&expected).expect("a buffer");
            let mut others = Vec::new();
            for step in 0..20 {
                match below(5) {
                    0 => {
                        let bytes = below(300);
                        let new = pattern(bytes, step);
                        frame.grow_front(bytes).expect("a buffer")[..bytes].copy_from_slice(&new);
                        expected.splice(..0, new);
                    }
                    1 => {
                        let bytes = below(200).min(frame.head().len());
                        frame.trim_front(bytes);
                        expected.drain(..bytes);
                    }
                    2 => {
                        let len = below(2500).max(expected.len() / 2);
                        frame.truncate(len);
                        expected.truncate(len);
                    }
                    3 => {
                        let own = frame.head_mut();
                        let count = own.len().min(40);
                        own[..count].fill(step);
                        expected[..count].fill(step);
                    }
                    _ => {
                        let replica = pool.replica(&frame).expect("a buffer");
                        assert_eq!(bytes(&replica), expected);
                        // Go on with one of the two; the other must keep what it has.
                        let kept = if below(2) == 0 { std::mem::replace(&mut frame, replica) } else { replica };
                        others.push((kept, expected.clone()));
                    }
                }
                assert_eq!(bytes(&frame), expected, "round {round}, step {step}");
            }
            for (other, expected) in others {
                assert_eq!(bytes(&other), expected, "a replica changed in round {round}");
            }
        }
        assert_eq!(pool.in_use(), 0);
    });
}

#[test]
fn a_missing_device_is_named_before_dpdk_starts() {
    alone("a_missing_device_is_named_before_dpdk_starts", || {
        let error = dpdk::open(&model(&["net_af_packet0,iface=no-such-if"], 1)).err().expect("no such interface");
        assert_eq!(
            error.to_string(),
            "port 'p0': device 'net_af_packet0,iface=no-such-if' cannot be opened: this network namespace has no \
             interface 'no-such-if': 'ip link' lists those that it has"
        );
        assert!(matches!(error, Error::Device { .. }));
        dpdk::open(&model(&["net_null0"], 1)).unwrap_or_else(|error| panic!("DPDK starts afterwards: {error}"));
    });
}

#[test]
fn a_driver_that_does_not_exist_is_named_with_what_to_do() {
    alone("a_driver_that_does_not_exist_is_named_with_what_to_do", || {
        let error = dpdk::open(&model(&["net_nul0"], 1)).err().expect("no such driver");
        assert_eq!(
            error.to_string(),
            "port 'p0': device 'net_nul0' cannot be opened: DPDK has no driver 'net_nul': did you mean 'net_null'?"
        );
        let again = dpdk::open(&model(&["net_null0"], 1)).err().expect("DPDK starts once");
        assert_eq!(again, Error::AlreadyStarted);
    });
}

#[test]
fn more_receive_queues_than_the_device_has_are_refused() {
    alone("more_receive_queues_than_the_device_has_are_refused", || {
        let mut model = model(&["net_ring0"], 1);
        model.ports[0].rx_queues = Some(100);
        let error = dpdk::open(&model).err().expect("no ring device has so many").to_string();
        assert!(error.contains("receive queues at most, not 100: lower the port's rx_queues"), "{error}");
    });
}

#[test]
fn a_driver_that_refuses_the_mtu_does_not_stop_the_gateway() {
    alone("a_driver_that_refuses_the_mtu_does_not_stop_the_gateway", || {
        let mut model = model(&["net_ring0", "net_null0"], 1);
        model.ports.iter_mut().for_each(|port| port.mtu = 9000);
        let dpdk = dpdk::open(&model).unwrap_or_else(|error| panic!("{error}"));
        let info = dpdk.ports[0].info();
        assert_eq!(info.mtu, 9000);
        assert!(info.mtu_note.as_deref().is_some_and(|note| note.contains("but carries such frames")));
        assert_eq!(dpdk.ports[1].info().mtu_note, None);
    });
}

#[test]
fn a_device_with_one_transmit_queue_belongs_to_one_of_four_workers() {
    alone("a_device_with_one_transmit_queue_belongs_to_one_of_four_workers", || {
        let scratch = Scratch::new("queues");
        let file = scratch.write("in.pcap", &pcap(&[pattern(60, 1)]));
        let device = |n| format!("net_pcap{n},rx_pcap={file},tx_pcap={}", scratch.path(&format!("out{n}.pcap")));
        let mut dpdk = open(&[&device(0), &device(1), "net_ring0"], 4);
        let has = |port| dpdk.drivers.iter().map(|driver| driver.has_tx(PortId(port))).collect::<Vec<_>>();
        assert_eq!(has(0), [true, false, false, false]);
        assert_eq!(has(1), [false, true, false, false], "the worker that polls it");
        assert_eq!(has(2), [true; 4]);
        assert_eq!(has(3), [false; 4], "there is no such port");
        assert_eq!(dpdk.drivers.iter().map(Driver::rx_queues).collect::<Vec<_>>(), [2, 2, 1, 1]);

        let other = &mut dpdk.drivers[3];
        let mut frames = vec![frame(other, &[1; 60])];
        assert_eq!(other.tx(P0, &mut frames), 0);
        assert_eq!(frames.len(), 1, "nobody took it");
        // A frame of one worker's pool may leave through another's queue.
        assert_eq!(dpdk.drivers[0].tx(P0, &mut frames), 60);
        assert_eq!(dpdk.eal.buffers_in_use(), 0);
        assert_eq!(receive(&mut dpdk.drivers[1]).len(), 1, "each file is read by one worker");
    });
}

#[test]
fn workers_on_threads_of_their_own_give_every_buffer_back() {
    alone("workers_on_threads_of_their_own_give_every_buffer_back", || {
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
    alone("a_frame_that_outlives_dpdk_can_still_be_read", || {
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
        let mut child = process("holder")
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
