/* What Rust cannot take from DPDK's headers: static inlines, macros, the layout of an mbuf. */
#ifndef CAUSEWAY_SHIM_H
#define CAUSEWAY_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_pdump.h>
#include <rte_telemetry.h>
#include <rte_version.h>

/* Where the C compiler puts the fields of an mbuf, in bytes, and other small numbers. */
enum cw_layout {
	CW_BUF_ADDR_AT = offsetof(struct rte_mbuf, buf_addr),
	CW_DATA_OFF_AT = offsetof(struct rte_mbuf, data_off),
	CW_REFCNT_AT = offsetof(struct rte_mbuf, refcnt),
	CW_NB_SEGS_AT = offsetof(struct rte_mbuf, nb_segs),
	CW_PORT_AT = offsetof(struct rte_mbuf, port),
	CW_OL_FLAGS_AT = offsetof(struct rte_mbuf, ol_flags),
	CW_PACKET_TYPE_AT = offsetof(struct rte_mbuf, packet_type),
	CW_PKT_LEN_AT = offsetof(struct rte_mbuf, pkt_len),
	CW_DATA_LEN_AT = offsetof(struct rte_mbuf, data_len),
	CW_VLAN_TCI_AT = offsetof(struct rte_mbuf, vlan_tci),
	CW_RSS_AT = offsetof(struct rte_mbuf, hash.rss),
	CW_BUF_LEN_AT = offsetof(struct rte_mbuf, buf_len),
	CW_POOL_AT = offsetof(struct rte_mbuf, pool),
	CW_NEXT_AT = offsetof(struct rte_mbuf, next),
	CW_TX_OFFLOAD_AT = offsetof(struct rte_mbuf, tx_offload),
	CW_SHINFO_AT = offsetof(struct rte_mbuf, shinfo),
	/* The private area of a buffer begins right behind its mbuf. */
	CW_PRIVATE_AT = sizeof(struct rte_mbuf),
	CW_L2_LEN_BITS = RTE_MBUF_L2_LEN_BITS,
	CW_HEADROOM = RTE_PKTMBUF_HEADROOM,
	CW_CACHE_MAX = RTE_MEMPOOL_CACHE_MAX_SIZE,
	CW_LCORE_MAX = RTE_MAX_LCORE,
};

static const uint64_t CW_EXTERNAL = RTE_MBUF_F_EXTERNAL;
static const uint64_t CW_INDIRECT = RTE_MBUF_F_INDIRECT;
static const uint64_t CW_RX_VLAN_STRIPPED = RTE_MBUF_F_RX_VLAN_STRIPPED;
static const uint64_t CW_RX_RSS_HASH = RTE_MBUF_F_RX_RSS_HASH;
static const uint64_t CW_RX_IP_CKSUM_MASK = RTE_MBUF_F_RX_IP_CKSUM_MASK;
static const uint64_t CW_RX_IP_CKSUM_GOOD = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
static const uint64_t CW_RX_L4_CKSUM_MASK = RTE_MBUF_F_RX_L4_CKSUM_MASK;
static const uint64_t CW_RX_L4_CKSUM_GOOD = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
static const uint64_t CW_TX_IP_CKSUM = RTE_MBUF_F_TX_IP_CKSUM;
static const uint64_t CW_TX_IPV4 = RTE_MBUF_F_TX_IPV4;
static const uint64_t CW_TX_VLAN = RTE_MBUF_F_TX_VLAN;
static const uint32_t CW_PTYPE_TUNNEL_MASK = RTE_PTYPE_TUNNEL_MASK;

static const uint64_t CW_RX_OFFLOAD_VLAN_STRIP = RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
static const uint64_t CW_RX_OFFLOAD_IPV4_CKSUM = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
static const uint64_t CW_RX_OFFLOAD_UDP_CKSUM = RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
static const uint64_t CW_RX_OFFLOAD_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
static const uint64_t CW_RX_OFFLOAD_RSS_HASH = RTE_ETH_RX_OFFLOAD_RSS_HASH;
static const uint64_t CW_TX_OFFLOAD_VLAN_INSERT = RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
static const uint64_t CW_TX_OFFLOAD_IPV4_CKSUM = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
static const uint64_t CW_TX_OFFLOAD_MULTI_SEGS = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
static const uint64_t CW_RSS_FLOWS = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP;

/* A link, in a form that does not change with the release. */
struct cw_link {
	bool up;
	bool full_duplex;
	/* Mbit/s; 0 when the device does not say. */
	uint32_t speed;
};

/* Called with the level (RTE_LOG_*) and the bytes of each line that DPDK logs. */
typedef void (*cw_log_line)(uint32_t level, const char *text, size_t length);

uint16_t cw_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **into, uint16_t limit);
uint16_t cw_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count);
struct rte_mbuf *cw_alloc(struct rte_mempool *pool);
void cw_free(struct rte_mbuf *frame);
void cw_free_segment(struct rte_mbuf *segment);
void cw_attach(struct rte_mbuf *clone, struct rte_mbuf *piece);
uint16_t cw_data_room(struct rte_mempool *pool);
uint16_t cw_external_refcnt(const struct rte_mbuf *frame);
void cw_tel_list(struct rte_tel_data *data);
int cw_tel_name(struct rte_tel_data *data, const char *name);
void cw_tel_numbers(struct rte_tel_data *data);
int cw_tel_number(struct rte_tel_data *data, const char *name, uint64_t number);
uint64_t cw_cycles(void);
int cw_errno(void);
int cw_link_state(uint16_t port, struct cw_link *link);
int cw_log_to(cw_log_line line);

#endif
