//! Opening devices: what is refused and why, and who has which queue.

use gateway::dpdk::{self, Error};
use gateway::driver::Driver;
use gateway::frame::PortId;

use crate::{P0, Scratch, alone, frame, model, open, pattern, pcap, receive};

#[test]
fn a_missing_device_is_named_before_dpdk_starts() {
    alone("opening::a_missing_device_is_named_before_dpdk_starts", || {
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
    alone("opening::a_driver_that_does_not_exist_is_named_with_what_to_do", || {
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
    alone("opening::more_receive_queues_than_the_device_has_are_refused", || {
        let mut model = model(&["net_ring0"], 1);
        model.ports[0].rx_queues = Some(100);
        let error = dpdk::open(&model).err().expect("no ring device has so many").to_string();
        assert!(error.contains("receive queues at most, not 100: lower the port's rx_queues"), "{error}");
    });
}

#[test]
fn a_driver_that_refuses_the_mtu_does_not_stop_the_gateway() {
    alone("opening::a_driver_that_refuses_the_mtu_does_not_stop_the_gateway", || {
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
    alone("opening::a_device_with_one_transmit_queue_belongs_to_one_of_four_workers", || {
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
