"""Emoji by name, as people type them: ``:smile:``. Only what every terminal draws in two cells."""

import re

__all__ = ["EMOJI", "find_emoji", "replace_names"]

_TABLE = """
😄 smile 😀 grin 😂 joy 🤣 rofl 😊 blush 😉 wink 😍 heart_eyes 😘 kiss 😎 sunglasses 🤓 nerd 🤔 thinking
😐 neutral 😏 smirk 😒 unamused 🙄 rolling_eyes 😬 grimace 😌 relieved 😔 pensive 😴 sleeping 😷 mask
🤒 sick 🤕 hurt 🤢 nauseated 🤮 vomit 🥵 hot 🥶 cold 🥴 woozy 🤯 mind_blown 🥳 party 😕 confused 😟 worried
🙁 frown 😮 open_mouth 😲 astonished 😳 flushed 🥺 pleading 😢 cry 😭 sob 😱 scream 😤 triumph 😡 rage
😠 angry 🤬 cursing 😈 imp 💀 skull 💩 poop 🤡 clown 👻 ghost 👽 alien 🤖 robot 😺 cat_smile 🙈 see_no_evil
🙉 hear_no_evil 🙊 speak_no_evil 💋 lips 💘 cupid 💔 broken_heart 🧡 orange_heart 💛 yellow_heart
💚 green_heart 💙 blue_heart 💜 purple_heart 🖤 black_heart 💯 hundred 💥 boom 💫 dizzy 💦 sweat_drops
💤 zzz 👋 wave 🤚 raised_back 🖖 vulcan 👌 ok 🤏 pinch 🤞 crossed_fingers 🤟 love_you 🤘 metal 🤙 call_me
👈 left 👉 right 👆 up 👇 down 👍 +1 👍 thumbsup 👎 -1 👎 thumbsdown ✊ fist 👊 punch 👏 clap 🙌 hands_up
👐 open_hands 🤲 palms 🤝 handshake 🙏 pray 💪 muscle 🦾 robot_arm 👀 eyes 🧠 brain 👶 baby 🧑 person
👮 police 🥷 ninja 🤷 shrug 🤦 facepalm 🏃 run 💃 dance 👪 family 🐶 dog 🐱 cat 🐭 mouse 🐹 hamster
🐰 rabbit 🦊 fox 🐻 bear 🐼 panda 🐯 tiger 🦁 lion 🐮 cow 🐷 pig 🐸 frog 🐵 monkey 🐔 chicken 🐧 penguin
🐦 bird 🦆 duck 🦉 owl 🐝 bee 🐛 bug 🦋 butterfly 🐌 snail 🐢 turtle 🐍 snake 🐙 octopus 🦀 crab 🐟 fish
🐬 dolphin 🐳 whale 🦄 unicorn 🌸 blossom 🌹 rose 🌻 sunflower 🌲 tree 🌵 cactus 🍀 clover 🍁 maple
🍄 mushroom 🌍 earth 🌙 moon ⭐ star 🌟 glowing_star ⚡ zap 🔥 fire 🌈 rainbow ☔ umbrella ⛄ snowman
🌊 ocean 🍎 apple 🍌 banana 🍓 strawberry 🍒 cherries 🍑 peach 🥑 avocado 🌽 corn 🍞 bread 🧀 cheese
🍔 burger 🍟 fries 🍕 pizza 🌮 taco 🍣 sushi 🍜 noodles 🍦 ice_cream 🍩 doughnut 🍪 cookie 🎂 cake
🍫 chocolate 🍿 popcorn ☕ coffee 🍵 tea 🍺 beer 🍻 cheers 🍷 wine 🥂 toast ⚽ football 🏀 basketball
🎾 tennis 🎲 dice 🎮 game 🎯 target 🎸 guitar 🎵 note 🎨 art 🎬 film 🏆 trophy 🥇 gold 🚗 car 🚌 bus 🚆 train
🚲 bike 🚀 rocket ⛵ boat 🚢 ship 🏠 house 🏥 hospital 🏫 school ⛺ tent ⌚ watch 📱 phone 💻 laptop
💾 floppy 📷 camera 📺 tv 📻 radio 🔋 battery 🔌 plug 💡 bulb 🔦 torch 📖 book 📚 books 💰 money 💳 card
📧 email 📦 package 📫 mailbox 📝 memo 📅 calendar 📈 chart 📌 pin 📎 clip 🔒 lock 🔓 unlock 🔑 key
🔨 hammer 🔧 wrench 🔩 bolt 🔬 microscope 🔭 telescope 💊 pill 🚪 door 🛌 bed 🚿 shower 🎁 gift 🎈 balloon
🎉 tada 🔔 bell 🔕 no_bell 📢 loudspeaker 🔍 search ⏰ alarm ⏳ hourglass ❓ question ❗ exclamation
✅ check ❌ cross ➕ plus ➖ minus 🚧 construction 🚨 siren ⛔ no_entry 🚫 forbidden 🆗 ok_button 🆕 new
🆒 cool 🔴 red_circle 🟢 green_circle 🔵 blue_circle
"""
_NAMES = _TABLE.split()

EMOJI: dict[str, str] = dict(zip(_NAMES[1::2], _NAMES[::2], strict=True))
"""Emoji by name."""

_NAME = re.compile(r":([a-z0-9_+-]{1,24}):")


def replace_names(text: str) -> str:
    """The text with every known ``:name:`` replaced; others stay as typed."""
    return _NAME.sub(lambda match: EMOJI.get(match[1], match[0]), text)


def find_emoji(beginning: str, limit: int = 20) -> list[tuple[str, str]]:
    """Names and emoji whose name begins so, then those that contain it; shortest first."""
    wanted = beginning.lower()
    found = [name for name in EMOJI if wanted in name]
    found.sort(key=lambda name: (not name.startswith(wanted), len(name), name))
    return [(name, EMOJI[name]) for name in found[:limit]]
