"""The budgets' arithmetic, run by Redis: one script decides a whole batch, so that no gateway sees half of another's.

A key holds {windows, members} of one budget, packed by cmsgpack: the windows shortest first, the members with the moment
each was counted, {member, moment, member, moment, ...}, oldest first. A window is {first refusal or false, moment, units,
moment, units, ...}, oldest first. The rules are those of the budgets in memory: up to EXACT spends are remembered
one by one, beyond that neighbours merge and count until the later one is too old. Windows are known by their place, so
limits that were changed in the settings take over what was spent under the old ones.

KEYS: one per ask. ARGV: the moment in seconds or '' for the server's own clock; the distinct lists of {count, seconds},
packed; for every ask {which list (from 1), units, member or '', how many places before it the ask stands that it needs
or 0}, packed; EXACT; how many members a key remembers; the places (from 1) of the asks of which it is told what is left,
packed. The answer to a spend is one letter for each ask, and behind them, where any are told, a list of {most, seconds,
left, seconds until there is more}, packed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

_READ = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local rules, asks, exact, remembered = cmsgpack.unpack(ARGV[2]), cmsgpack.unpack(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local accounts, changed = {}, {}

local function unexpired(window, since)
  local kept, total = {window[1] or false}, 0
  for at = 2, #window, 2 do
    if window[at] > since then
      kept[#kept + 1], kept[#kept + 2] = window[at], window[at + 1]
      total = total + window[at + 1]
    end
  end
  return kept, total
end

local function members_since(members, since)
  local kept = {}
  for at = 1, #members, 2 do
    if members[at + 1] > since then
      kept[#kept + 1], kept[#kept + 2] = members[at], members[at + 1]
    end
  end
  return kept
end

local function account_of(key, limits)
  local account = accounts[key]
  if not account then
    local stored = redis.call('GET', key)
    local windows, members = unpack(stored and cmsgpack.unpack(stored) or {{}, {}})
    account = {limits = limits, windows = {}, totals = {}, members = members_since(members, now - limits[#limits][2])}
    for place, limit in ipairs(limits) do
      account.windows[place], account.totals[place] = unexpired(windows[place] or {}, now - limit[2])
    end
    accounts[key] = account
  end
  return account
end

local function write_changed()
  for key, account in pairs(changed) do
    local longest = account.limits[#account.limits][2]
    redis.call('SET', key, cmsgpack.pack({account.windows, account.members}), 'PX', math.ceil(longest * 1000))
  end
end
"""

_SPEND = """
local function spend(account)
  for place, limit in ipairs(account.limits) do
    local window = account.windows[place]
    local spends = (#window - 1) / 2
    if spends >= exact and now - window[#window - 3] < limit[2] / exact then
      window[#window - 1], window[#window] = now, window[#window] + 1
    else
      window[#window + 1], window[#window + 2] = now, 1
    end
    account.totals[place] = account.totals[place] + 1
  end
end

local function counted(account, member)
  for at = 1, #account.members, 2 do
    if account.members[at] == member then return true end
  end
  return false
end

local function remember(account, member)
  local members = account.members
  if #members >= 2 * remembered then
    table.remove(members, 1)
    table.remove(members, 1)
  end
  members[#members + 1], members[#members + 2] = member, now
end

local function verdict_on(key, limits, units, member)
  local account = account_of(key, limits)
  local exceeded = nil
  for place, limit in ipairs(limits) do
    if account.totals[place] >= limit[1] then exceeded = place end
  end
  if member ~= '' and counted(account, member) then return 'a' end
  if exceeded then
    local window = account.windows[exceeded]
    if window[1] and now - window[1] < limits[exceeded][2] then return 'r' end
    window[1] = now
    changed[key] = account
    return 'f'
  end
  if units > 0 then
    spend(account)
    if member ~= '' then remember(account, member) end
    changed[key] = account
  end
  return 'a'
end

local function left_of(key, limits)
  local account, nearest = account_of(key, limits), nil
  for place, limit in ipairs(limits) do
    local left = math.max(limit[1] - account.totals[place], 0)
    if not nearest or left <= nearest[3] then
      local oldest = account.windows[place][2]
      nearest = {limit[1], limit[2], left, oldest and oldest + limit[2] - now or 0}
    end
  end
  return nearest
end

local verdicts = {}
for number, key in ipairs(KEYS) do
  local place_of_rule, units, member, needs = unpack(asks[number])
  local limits = rules[place_of_rule]
  if needs > 0 and verdicts[number - needs] ~= 'a' then
    verdicts[number] = 'r'
  elseif #limits == 0 then
    verdicts[number] = 'a'
  else
    verdicts[number] = verdict_on(key, limits, units, member)
  end
end
write_changed()
local told = {}
for at, number in ipairs(cmsgpack.unpack(ARGV[6])) do
  told[at] = left_of(KEYS[number], rules[asks[number][1]])
end
return table.concat(verdicts) .. (#told > 0 and cmsgpack.pack(told) or '')
"""

_REFUND = """
for number, key in ipairs(KEYS) do
  local account = account_of(key, rules[asks[number][1]])
  for _, window in ipairs(account.windows) do
    if #window > 1 then
      window[#window] = window[#window] - 1
      if window[#window] == 0 then
        table.remove(window)
        table.remove(window)
      end
      changed[key] = account
    end
  end
end
write_changed()
return ''
"""


class Script:
    """A script named by its digest; its text travels only when the server does not know it (any more)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Redis, keys: Sequence[str], arguments: Sequence[Any]) -> bytes:
        """Its answer, in one round trip, or two when the server is new to it."""
        try:
            answer: bytes = await client.evalsha(self.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            answer = await client.eval(self.text, len(keys), *keys, *arguments)
        return answer


SPEND = Script(_READ + _SPEND)
REFUND = Script(_READ + _REFUND)
