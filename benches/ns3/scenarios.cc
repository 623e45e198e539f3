// The workloads of `septet bench` for ns-3: chain, dumbbell-N-newreno, dumbbell-N-cubic, star, fat-tree.
//
// Prints one JSON object: packets (transmissions of frames over links), CPU seconds of the process (building the world
// included), and the highest resident memory. Everything that could make ns-3 slow and that the workload does not ask
// for is off: no logs, no traces but one counter for each device, no checksums (ns-3's default).

#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/nix-vector-routing-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/traffic-control-module.h"

using namespace ns3;

namespace
{

uint64_t g_packets = 0;
uint64_t g_received = 0;

void
Transmitted(Ptr<const Packet>)
{
    ++g_packets;
}

void
Received(Ptr<const Packet> packet, const Address&)
{
    g_received += packet->GetSize();
}

struct Cable
{
    const char* rate;
    const char* delay;
    const char* queue;
};

/// Nodes, the cables between them, and an address for each end.
class Net
{
  public:
    explicit Net(bool nix)
    {
        if (nix)
        {
            Ipv4NixVectorHelper routing;
            m_stack.SetRoutingHelper(routing);
        }
        m_stack.SetIpv6StackInstall(false);
        m_addresses.SetBase("10.0.0.0", "255.255.255.252");
    }

    Ptr<Node> Add()
    {
        auto node = CreateObject<Node>();
        m_stack.Install(node);
        return node;
    }

    Ipv4InterfaceContainer Join(Ptr<Node> a, Ptr<Node> b, const Cable& cable)
    {
        PointToPointHelper link;
        link.SetDeviceAttribute("DataRate", StringValue(cable.rate));
        link.SetChannelAttribute("Delay", StringValue(cable.delay));
        link.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue(cable.queue));
        auto devices = link.Install(a, b);
        for (auto device = devices.Begin(); device != devices.End(); ++device)
        {
            (*device)->TraceConnectWithoutContext("PhyTxBegin", MakeCallback(&Transmitted));
        }
        auto interfaces = m_addresses.Assign(devices);
        // The queue is the device's: no discipline above it, as in the other simulator.
        TrafficControlHelper().Uninstall(devices);
        m_addresses.NewNetwork();
        return interfaces;
    }

  private:
    InternetStackHelper m_stack;
    Ipv4AddressHelper m_addresses;
};

void
Sink(Ptr<Node> node, const char* socket, uint16_t port)
{
    PacketSinkHelper sink(socket, InetSocketAddress(Ipv4Address::GetAny(), port));
    auto apps = sink.Install(node);
    apps.Get(0)->TraceConnectWithoutContext("Rx", MakeCallback(&Received));
}

void
Flow(Ptr<Node> from, Ipv4Address to, uint64_t bytes, Time start)
{
    BulkSendHelper bulk("ns3::TcpSocketFactory", InetSocketAddress(to, 5001));
    bulk.SetAttribute("MaxBytes", UintegerValue(bytes));
    bulk.SetAttribute("SendSize", UintegerValue(1448));
    bulk.Install(from).Start(start);
}

void
Chain(uint32_t packets)
{
    Net net(false);
    const Cable cable{"1Gbps", "100us", "1000p"};
    auto first = net.Add();
    auto before = first;
    Ipv4InterfaceContainer ends;
    for (int n = 0; n < 9; ++n)
    {
        auto next = net.Add();
        ends = net.Join(before, next, cable);
        before = next;
    }
    Ipv4GlobalRoutingHelper::PopulateRoutingTables();
    Sink(before, "ns3::UdpSocketFactory", 9);
    UdpClientHelper client(ends.GetAddress(1), 9);
    client.SetAttribute("MaxPackets", UintegerValue(packets));
    client.SetAttribute("Interval", TimeValue(MicroSeconds(10)));
    client.SetAttribute("PacketSize", UintegerValue(1000));
    client.Install(first).Start(Seconds(1));
    Simulator::Stop(Seconds(2) + MicroSeconds(10) * packets);
}

void
Dumbbell(uint32_t flows, const char* controller, double scale)
{
    Config::SetDefault("ns3::TcpL4Protocol::SocketType", TypeIdValue(TypeId::LookupByName(controller)));
    Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(4 << 20));
    Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(4 << 20));
    Net net(false);
    const Cable access{"1Gbps", "100us", "1000p"};
    auto left = net.Add();
    auto right = net.Add();
    net.Join(left, right, {"100Mbps", "10ms", "100p"});
    std::vector<std::pair<Ptr<Node>, Ipv4Address>> pairs;
    for (uint32_t n = 0; n < flows; ++n)
    {
        auto from = net.Add();
        auto to = net.Add();
        net.Join(from, left, access);
        auto ends = net.Join(right, to, access);
        Sink(to, "ns3::TcpSocketFactory", 5001);
        pairs.emplace_back(from, ends.GetAddress(1));
    }
    Ipv4GlobalRoutingHelper::PopulateRoutingTables();
    for (uint32_t n = 0; n < flows; ++n)
    {
        Flow(pairs[n].first, pairs[n].second, 0, MilliSeconds(10 * n));
    }
    Simulator::Stop(Seconds(60 * scale));
}

/// Host n sends to host 5 n + 17, a millisecond after the one before.
void
ShortFlows(const std::vector<std::pair<Ptr<Node>, Ipv4Address>>& hosts, uint32_t flows)
{
    for (const auto& host : hosts)
    {
        Sink(host.first, "ns3::TcpSocketFactory", 5001);
    }
    for (uint32_t n = 0; n < flows; ++n)
    {
        auto to = (5 * n + 17) % hosts.size();
        to = to == n ? (n + 1) % hosts.size() : to;
        Flow(hosts[n].first, hosts[to].second, 100000, MilliSeconds(n));
    }
    Simulator::Stop(Seconds(5) + MilliSeconds(flows));
}

void
Star(double scale)
{
    Net net(true);
    auto hub = net.Add();
    std::vector<std::pair<Ptr<Node>, Ipv4Address>> hosts;
    for (int n = 0; n < 1000 * scale; ++n)
    {
        auto host = net.Add();
        auto ends = net.Join(hub, host, {"1Gbps", "10us", "1000p"});
        hosts.emplace_back(host, ends.GetAddress(1));
    }
    ShortFlows(hosts, hosts.size());
}

void
FatTree(double scale)
{
    const int ports = 16;
    const int half = ports / 2;
    const Cable cable{"1Gbps", "10us", "1000p"};
    Net net(true);
    std::vector<Ptr<Node>> core;
    for (int n = 0; n < half * half; ++n)
    {
        core.push_back(net.Add());
    }
    std::vector<std::pair<Ptr<Node>, Ipv4Address>> hosts;
    for (int pod = 0; pod < ports; ++pod)
    {
        std::vector<Ptr<Node>> above;
        for (int n = 0; n < half; ++n)
        {
            above.push_back(net.Add());
            for (int top = n * half; top < (n + 1) * half; ++top)
            {
                net.Join(above[n], core[top], cable);
            }
        }
        for (int n = 0; n < half; ++n)
        {
            auto edge = net.Add();
            for (const auto& router : above)
            {
                net.Join(edge, router, cable);
            }
            for (int m = 0; m < half; ++m)
            {
                auto host = net.Add();
                auto ends = net.Join(edge, host, cable);
                hosts.emplace_back(host, ends.GetAddress(1));
            }
        }
    }
    ShortFlows(hosts, 1000 * scale);
}

} // namespace

int
main(int argc, char** argv)
{
    std::string name = argc > 1 ? argv[1] : "";
    const double scale = argc > 2 ? std::atof(argv[2]) : 1.0;
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
    Config::SetDefault("ns3::TcpSocket::InitialCwnd", UintegerValue(10));
    Config::SetDefault("ns3::TcpL4Protocol::SocketType", TypeIdValue(TcpCubic::GetTypeId()));
    const std::string dumbbell = "dumbbell-";
    if (name == "chain")
    {
        Chain(1000000 * scale);
    }
    else if (name == "star")
    {
        Star(scale);
    }
    else if (name == "fat-tree")
    {
        FatTree(scale);
    }
    else if (name.rfind(dumbbell, 0) == 0)
    {
        const bool cubic = name.find("-cubic") != std::string::npos;
        Dumbbell(std::atoi(name.c_str() + dumbbell.size()), cubic ? "ns3::TcpCubic" : "ns3::TcpLinuxReno", scale);
    }
    else
    {
        std::fprintf(stderr, "usage: scenarios chain|dumbbell-N-newreno|dumbbell-N-cubic|star|fat-tree [SCALE]\n");
        return 2;
    }
    Simulator::Run();
    struct rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) { return t.tv_sec + t.tv_usec / 1e6; };
    std::printf("{\"name\":\"%s\",\"packets\":%llu,\"received_bytes\":%llu,\"cpu_s\":%.3f,\"rss_bytes\":%llu}\n",
                name.c_str(),
                static_cast<unsigned long long>(g_packets),
                static_cast<unsigned long long>(g_received),
                seconds(usage.ru_utime) + seconds(usage.ru_stime),
                static_cast<unsigned long long>(usage.ru_maxrss) * 1024);
    Simulator::Destroy();
    return 0;
}
