/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/interfaces_found.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdlib.h>
#include <string.h>

void adev_address_map_ipv4(uint8_t raw[16], const void *address)
{
	memset(raw, 0, 10);
	memset(raw + 10, 0xff, 2);
	memcpy(raw + 12, address, 4);
}

static struct adev_interface *find_interface(struct adev_interfaces *found,
					     int index)
{
	uint32_t i;

	for (i = 0; i < found->num_interfaces; i++)
		if (found->interfaces[i].index == index)
			return &found->interfaces[i];
	return NULL;
}

struct adev_interface *adev_interfaces_add(struct adev_interfaces *found,
					   int index, const char *name,
					   unsigned int flags)
{
	struct adev_interface *added = find_interface(found, index);

	if (added || found->num_interfaces == ADEV_INTERFACES_MAX)
		return added;
	added = &found->interfaces[found->num_interfaces++];
	*added = (struct adev_interface){
		.index = index,
		.up = flags & IFF_UP,
		.running = flags & IFF_UP && flags & IFF_LOWER_UP,
		.loopback = flags & IFF_LOOPBACK,
	};
	strncpy(added->name, name, sizeof(added->name) - 1);
	return added;
}

void adev_interface_set_mac(struct adev_interface *interface, unsigned int type,
			    const void *mac, size_t bytes)
{
	static const uint8_t none[6];

	if (type != ARPHRD_ETHER || bytes != sizeof(none) ||
	    memcmp(mac, none, sizeof(none)) == 0)
		return;
	interface->has_mac = true;
	memcpy(interface->mac, mac, sizeof(none));
}

void adev_interfaces_add_address(struct adev_interfaces *found, int index,
				 int family, const void *address)
{
	struct adev_address *added;

	if (!find_interface(found, index) ||
	    found->num_addresses == ADEV_ADDRESSES_MAX)
		return;
	added = &found->addresses[found->num_addresses];
	added->index = index;
	if (family == AF_INET) {
		added->kind = ADEV_ADDRESS_IPV4;
		adev_address_map_ipv4(added->raw, address);
	} else if (family == AF_INET6) {
		added->kind = IN6_IS_ADDR_LINKLOCAL(
				      (const struct in6_addr *)address) ?
				      ADEV_ADDRESS_LINK_LOCAL :
				      ADEV_ADDRESS_IPV6;
		memcpy(added->raw, address, sizeof(added->raw));
	} else {
		return;
	}
	found->num_addresses++;
}

static void take_link(struct nl_object *object, void *opaque)
{
	struct rtnl_link *link = (struct rtnl_link *)object;
	struct nl_addr *mac = rtnl_link_get_addr(link);
	struct adev_interface *added;

	if (rtnl_link_get_master(link) || !rtnl_link_get_name(link))
		return;
	added = adev_interfaces_add(opaque, rtnl_link_get_ifindex(link),
				    rtnl_link_get_name(link),
				    rtnl_link_get_flags(link));
	if (added)
		added->mtu = rtnl_link_get_mtu(link);
	if (added && mac)
		adev_interface_set_mac(added, rtnl_link_get_arptype(link),
				       nl_addr_get_binary_addr(mac),
				       nl_addr_get_len(mac));
}

/* Temporary (privacy) addresses come and go, and a GID must not; one that
 * another machine has too is no address of ours. */
static void take_address(struct nl_object *object, void *opaque)
{
	struct rtnl_addr *address = (struct rtnl_addr *)object;
	struct nl_addr *local = rtnl_addr_get_local(address);

	if (!local || (rtnl_addr_get_family(address) == AF_INET6 &&
		       (rtnl_addr_get_flags(address) &
			(IFA_F_TEMPORARY | IFA_F_DADFAILED))))
		return;
	adev_interfaces_add_address(opaque, rtnl_addr_get_ifindex(address),
				    rtnl_addr_get_family(address),
				    nl_addr_get_binary_addr(local));
}

static bool read_caches(struct nl_sock *socket, struct adev_interfaces *found)
{
	struct nl_cache *links;
	struct nl_cache *addresses;

	if (rtnl_link_alloc_cache(socket, AF_UNSPEC, &links) != 0)
		return false;
	if (rtnl_addr_alloc_cache(socket, &addresses) != 0) {
		nl_cache_free(links);
		return false;
	}
	nl_cache_foreach(links, take_link, found);
	nl_cache_foreach(addresses, take_address, found);
	nl_cache_free(addresses);
	nl_cache_free(links);
	return true;
}

static bool read_netlink(struct adev_interfaces *found)
{
	struct nl_sock *socket = nl_socket_alloc();
	bool done = false;

	if (!socket)
		return false;
	if (nl_connect(socket, NETLINK_ROUTE) == 0)
		done = read_caches(socket, found);
	nl_socket_free(socket);
	return done;
}

static int compare_interfaces(const void *a, const void *b)
{
	const struct adev_interface *left = a;
	const struct adev_interface *right = b;

	return (left->index > right->index) - (left->index < right->index);
}

/* Within a kind the kernel's order counts (an interface's first address is the
 * one it sends from), so this sort keeps the order of equals. */
static void sort_addresses(struct adev_interfaces *found)
{
	struct adev_address *at = found->addresses;
	struct adev_address moved;
	uint32_t i;
	uint32_t j;

	for (i = 1; i < found->num_addresses; i++) {
		moved = at[i];
		for (j = i; j > 0; j--) {
			if (at[j - 1].index < moved.index ||
			    (at[j - 1].index == moved.index &&
			     at[j - 1].kind <= moved.kind))
				break;
			at[j] = at[j - 1];
		}
		at[j] = moved;
	}
}

bool adev_interfaces_read(struct adev_interfaces *found)
{
	bool known;

	memset(found, 0, sizeof(*found));
	known = read_netlink(found);
	if (!known) {
		memset(found, 0, sizeof(*found));
		known = adev_interfaces_read_plainly(found);
	}
	qsort(found->interfaces, found->num_interfaces,
	      sizeof(found->interfaces[0]), compare_interfaces);
	sort_addresses(found);
	return known;
}
