//! Devices that carry frames: rings, files, nothing; and buffers that come back.

use gateway::dpdk::{DpdkDriver, Mbuf};
use gateway::driver::{BURST, Burst, Driver};
use gateway::frame::{Frame, Pool, PortId};

use crate::{P0, Scratch, alone, bytes, frame, open, pattern, pcap, receive, unpcap};

#[test]
fn frames_come_back_through_a_ring_byte_for_byte() {
    alone("devices::frames_come_back_through_a_ring_byte_for_byte", || {
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
    alone("devices::frames_of_several_pieces_pass_a_ring_whole", || {
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
    alone("devices::a_null_device_gives_frames_and_takes_them", || {
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
    alone("devices::a_pcap_file_goes_in_and_comes_out_the_same", || {
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

#[test]
fn frames_accepted_by_tx_are_not_freed_again() {
    alone("devices::frames_accepted_by_tx_are_not_freed_again", || {
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
    alone("devices::an_empty_pool_gives_nothing_and_loses_nothing", || {
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
