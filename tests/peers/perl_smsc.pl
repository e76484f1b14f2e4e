# Net::SMPP as an SMSC steered by JSON lines: `perl perl_smsc.pl SETTINGS`; what it says and understands: steered.py.
#
# Settings: system_id, password, port, message_id (every submit is answered with it). Texts stay octets.
use strict;
use warnings;

use IO::Select;
use JSON::PP;
use Net::SMPP;

use constant {
    BIND_RECEIVER => 0x1, BIND_TRANSMITTER => 0x2, SUBMIT_SM => 0x4, UNBIND => 0x6, BIND_TRANSCEIVER => 0x9,
    ENQUIRE_LINK => 0x15, DELIVER_SM_RESP => 0x80000005, UNBIND_RESP => 0x80000006, ENQUIRE_LINK_RESP => 0x80000015,
    RINVPASWD => 0x0E, RINVSYSID => 0x0F, RECEIPT_CLASS => 4, RECEIPT_WANTED => 1, DELIVERED => 2,
};

my $json = JSON::PP->new->canonical;
my $settings = {system_id => 'gateway', password => 'secret', port => 0, message_id => '', %{decode_json($ARGV[0])}};
my $behaviour = {statuses => [], receipts => '', reversed => 0, hold => 0};
my %mode_of = (BIND_RECEIVER, 'receiver', BIND_TRANSMITTER, 'transmitter', BIND_TRANSCEIVER, 'transceiver');
my (@waiting, %asked, $receiver);
my $last_id = 1000;

$| = 1;

sub tell_of {
    my ($event, %details) = @_;
    print $json->encode({event => $event, %details}), "\n";
}

# ---- what an ESME says

sub on_bind {
    my ($link, $pdu) = @_;
    my $name = $mode_of{$pdu->{cmd}};
    my $status = $pdu->{system_id} ne $settings->{system_id} ? RINVSYSID
        : $pdu->{password} ne $settings->{password} ? RINVPASWD : 0;
    my $answer = "bind_${name}_resp";
    $link->$answer(system_id => 'PERLSMSC', seq => $pdu->{seq}, status => $status);
    if ($status) {
        tell_of('bind_refused', status => $status);
        return;
    }
    $receiver = $link if $name ne 'transmitter';
    tell_of('bound', system_id => $pdu->{system_id}, interface_version => $pdu->{interface_version});
}

sub on_submit {
    my ($link, $pdu) = @_;
    my $status = shift @{$behaviour->{statuses}} // 0;
    my $id = $settings->{message_id} || sprintf('%X', ++$last_id);
    my $octets = length $pdu->{short_message} ? $pdu->{short_message} : $pdu->{message_payload} // '';
    my %tlvs = map { $_ => hex unpack('H*', $pdu->{$_}) }
        grep { defined $pdu->{$_} } qw(sar_msg_ref_num sar_total_segments sar_segment_seqnum);
    tell_of('submit', id => $id, status => $status, source => $pdu->{source_addr},
        destination => $pdu->{destination_addr}, data_coding => $pdu->{data_coding}, esm_class => $pdu->{esm_class},
        hex => unpack('H*', $octets), tlvs => \%tlvs);
    return if $behaviour->{hold};
    push @waiting, sub { answer($link, $pdu, $status, $id) };
    return if @waiting < $behaviour->{reversed};
    $behaviour->{reversed} = 0;
    (pop @waiting)->() while @waiting;
}

sub answer {
    my ($link, $pdu, $status, $id) = @_;
    my $receipts = !$status && $pdu->{registered_delivery} & RECEIPT_WANTED ? $behaviour->{receipts} : '';
    report($pdu, $id) if $receipts eq 'before';
    $link->submit_sm_resp(message_id => $status ? '' : $id, status => $status, seq => $pdu->{seq});
    report($pdu, $id) if $receipts eq 'after';
}

sub report {
    my ($pdu, $id) = @_;
    my $text = "id:$id sub:001 dlvrd:001 submit date:2611220800 done date:2611220800 stat:DELIVRD err:000 text:";
    deliver({ref => "receipt:$id", source => $pdu->{destination_addr}, destination => $pdu->{source_addr},
        esm_class => RECEIPT_CLASS, hex => unpack('H*', $text),
        tlvs => [[0x001E, unpack('H*', "$id\0")], [0x0427, sprintf('%02x', DELIVERED)]]});
}

sub on_unbind {
    my ($link, $pdu) = @_;
    $link->unbind_resp(seq => $pdu->{seq});
    tell_of('unbound', by => 'esme');
}

sub on_resp {
    my ($link, $pdu) = @_;
    tell_of('resp', ref => delete $asked{$pdu->{seq}}, status => $pdu->{status});
}

my %heard = (
    BIND_RECEIVER, \&on_bind, BIND_TRANSMITTER, \&on_bind, BIND_TRANSCEIVER, \&on_bind, SUBMIT_SM, \&on_submit,
    UNBIND, \&on_unbind, DELIVER_SM_RESP, \&on_resp,
    ENQUIRE_LINK, sub { $_[0]->enquire_link_resp(seq => $_[1]{seq}) },
    ENQUIRE_LINK_RESP, sub { tell_of('enquired') },
    UNBIND_RESP, sub { tell_of('unbound', by => 'smsc'); hang_up($_[0]) },
);

# ---- what we are told to do

sub deliver {
    my ($order) = @_;
    my @tlvs = map { (Net::SMPP::param_tab->{$_->[0]}{name}, pack('H*', $_->[1])) } @{$order->{tlvs} // []};
    my $seq = $receiver->deliver_sm(async => 1, source_addr_ton => 1, source_addr_npi => 1,
        source_addr => $order->{source}, destination_addr => $order->{destination},
        esm_class => $order->{esm_class} // 0, data_coding => $order->{data_coding} // 0,
        short_message => pack('H*', $order->{hex}), @tlvs);
    $asked{$seq} = $order->{ref};
}

my %orders = (
    deliver => \&deliver,
    behave => sub { $behaviour = {%$behaviour, %{$_[0]}}; tell_of('behaves') },
    enquire => sub { $receiver->enquire_link(async => 1) },
    unbind => sub { $receiver->unbind(async => 1) },
    drop => sub { hang_up($receiver) },
    stop => sub { exit 0 },
);

# ---- the loop

my $server = Net::SMPP->new_listen('127.0.0.1', port => $settings->{port}, smpp_version => 0x34)
    or die "cannot listen: $!";
my $watched = IO::Select->new($server, \*STDIN);
my $typed = '';

sub hang_up {
    my ($link) = @_;
    $watched->remove($link);
    $link->close;
    tell_of('closed');
}

sub read_orders {
    sysread(STDIN, $typed, 65536, length $typed) or exit 0;
    while ($typed =~ s/^(.*)\n//) {
        my $order = decode_json($1);
        $orders{$order->{command}}->($order);
    }
}

sub read_link {
    my ($link) = @_;
    local $SIG{__WARN__} = sub { };  # it warns of every end of a connection
    my $pdu = $link->read_pdu or return hang_up($link);
    my $handler = $heard{$pdu->{cmd}} or return $link->generic_nack(seq => $pdu->{seq}, status => 3);
    $handler->($link, $pdu);
}

tell_of('listening', port => $server->sockport);
while (1) {
    for my $ready ($watched->can_read) {
        if ($ready == $server) {
            my $link = $server->accept or next;
            $watched->add($link);
        } elsif ($ready == \*STDIN) {
            read_orders();
        } elsif ($watched->exists($ready)) {
            read_link($ready);
        }
    }
}
